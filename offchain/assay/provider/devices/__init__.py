"""The devices of one host: what they are, under which key, and how they are enrolled."""
