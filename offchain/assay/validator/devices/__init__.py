"""Asking devices, and checking what they open."""
