"""`assay run --each`: many jobs over many leases."""
