"""Checks of what the project stands on and of what it hands out: advisories, manifests."""
