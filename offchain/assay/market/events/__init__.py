"""What the contracts emit, as typed records."""
