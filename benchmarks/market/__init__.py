"""Measurements of the market."""
