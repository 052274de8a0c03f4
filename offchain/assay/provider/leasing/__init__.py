"""A lease from its handover to its wipe: what is decided, sent and kept."""
