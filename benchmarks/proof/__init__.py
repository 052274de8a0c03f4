"""Measurements of the proof of compute."""
