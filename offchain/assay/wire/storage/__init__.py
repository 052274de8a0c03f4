"""Bodies about what is kept outside a provider."""
