"""`assay serve`: one server on several leases behind one address here."""
