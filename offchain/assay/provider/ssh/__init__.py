"""SSH into a lease, with a key that the renter's wallet has vouched for."""
