"""What a relay and the providers behind it say to each other."""
