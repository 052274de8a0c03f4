"""Reading a chain through its nodes: endpoints, blocks, calls, logs."""
