"""Settings: what every program is told in the same words, and where it looks for them."""
