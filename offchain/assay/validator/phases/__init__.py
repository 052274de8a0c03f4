"""The phases of an epoch in the order of their names in `epoch_run`."""
