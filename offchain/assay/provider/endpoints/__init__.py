"""Endpoints: ports of pods that anybody can call."""
