"""Names with HTTPS before the ports of pods, served by Caddy."""
