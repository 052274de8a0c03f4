"""The renter's library: search, lease, verify, run. The command line uses nothing else."""
