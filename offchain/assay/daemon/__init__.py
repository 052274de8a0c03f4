"""What every daemon shares: its log and the limits on what it is asked."""
