"""Builds what a release consists of, and says what it was built from."""
