"""The validator: challenges devices, agrees with its peers on what was measured, and signs it."""
