"""What every daemon shares: its log and its end."""
