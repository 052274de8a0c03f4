"""Keeping the index at the chain's final head, and filling in what others serve."""
