"""Sending: one journalled sender a key."""
