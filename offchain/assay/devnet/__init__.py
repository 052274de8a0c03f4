"""A whole network on one machine: a local chain, its contracts, and every daemon as a process of its own."""
