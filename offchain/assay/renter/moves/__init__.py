"""A lease that goes on at another provider."""
