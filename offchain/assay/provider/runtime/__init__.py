"""Where leased workloads run: as local processes (local chains only), in containers, or in bubblewrap."""
