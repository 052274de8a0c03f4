"""A relay: public ports for providers without a public address; it passes on what it cannot read."""
