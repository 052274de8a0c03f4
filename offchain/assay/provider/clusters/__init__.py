"""Pods of one renter on several hosts: a private network of theirs, through the providers' SSH servers."""
