"""The provider's HTTP interface."""
