"""Cheats on what validators themselves see: time, nonces, responses. No honest component imports them."""
