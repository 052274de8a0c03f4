"""Many jobs over many leases: a queue with retries that survives any stop, within a budget that holds."""
