"""Speaking to the provider of a lease: jobs, files, SSH, notebooks."""
