"""Challenges, probes, openings and demands of devices: answered by what computes, kept before it is sent."""
