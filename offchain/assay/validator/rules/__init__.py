"""Rules of the epoch: pure functions over typed values. No clock, no network, no chain, no keys."""
