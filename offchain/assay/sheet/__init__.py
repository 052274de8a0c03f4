"""The data sheet of a device: what is known of it, and from whom."""
