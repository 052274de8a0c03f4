"""The proof inside a renter's pod: what is sent there, what runs there, and what is made of its times."""
