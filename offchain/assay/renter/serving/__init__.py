"""One server on several leases, behind one address here: as many as the load wants, others for those that fail."""
