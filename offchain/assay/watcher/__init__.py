"""The watcher: checks what validators publish and proves the faults it finds, for a bounty."""
