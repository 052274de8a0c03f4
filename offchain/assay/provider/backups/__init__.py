"""Backups of leases' files: restic, in the pod's place but not in its sight."""
