"""The chain as a validator reads and writes it."""
