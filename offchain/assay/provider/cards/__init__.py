"""The cards of this host: which device is which, a worker process for each, and what is wrong with them."""
