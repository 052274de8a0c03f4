"""A lease from the renter's side: handover, start, keeping, downtime, leaving."""
