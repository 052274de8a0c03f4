"""The account that the host acts for: stake, credit, what its key may do."""
