"""A lease's machine: one long-lived container with root inside, its share of the host and its cards."""
