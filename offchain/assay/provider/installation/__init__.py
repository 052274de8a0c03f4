"""What makes a provider a service of its host: unit, user, folders and environment."""
