"""The validator's HTTP interface."""
