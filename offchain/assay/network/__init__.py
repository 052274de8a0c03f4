"""The network: addresses that strangers announce, one client to ask them, one server to be asked by them."""
