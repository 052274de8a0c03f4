"""What renting costs in time."""
