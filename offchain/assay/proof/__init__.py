"""Proof of compute, version 1: commit to a product of generated matrices, open sampled rows, verify them."""
