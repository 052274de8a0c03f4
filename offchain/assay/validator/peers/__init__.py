"""What seats say to each other, and what they serve."""
