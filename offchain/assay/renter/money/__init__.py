"""The wallet, permits, amounts and rewards."""
