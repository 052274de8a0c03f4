"""The demo: the whole market does its job once, on a local network."""
