"""One living process a key on a machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from assay.signing.errors import RecordInUse


class LivingCopy:
    """A lock that ends with the process, however it ends. The file holds the process id, for the error
    message."""

    def __init__(self, path: Path, address: str) -> None:
        """Raises RecordInUse while another process holds it."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise RecordInUse(
                f"{path}: process {holder} signs with {address} already; stop it first: "
                "two copies of one seat get it slashed"
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next process in."""
        os.close(self._handle)
