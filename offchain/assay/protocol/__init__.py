"""The protocol's bytes: hashes, seeds, trees, messages, signatures. Pure; imports no other layer."""
