"""What runs on a lease, and its files."""
