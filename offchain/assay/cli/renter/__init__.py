"""Commands of renters."""
