"""What a quorum of seats agrees on: the seal and the report, by one protocol of leaders' rounds."""
