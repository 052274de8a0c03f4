"""What makes a provider a service of its host: unit, user, folders, environment, and user numbers for pods."""
