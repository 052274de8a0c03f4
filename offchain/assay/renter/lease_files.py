"""What a renter must not forget between commands: the secret of a handover, and that it convinced."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.renter.errors import RenterError


@dataclass(frozen=True)
class LeaseFile:
    """One lease's secret `x` (0x-hex) and, once the proof convinced, the resultRoot (0x-hex)."""

    lease_id: int
    x: str
    verified_root: str | None = None


class LeaseFiles:
    """One file a lease, readable by the owner only, in a folder of the chain and escrow it belongs to."""

    def __init__(self, folder: Path, chain_id: int, escrow: str) -> None:
        self._folder = folder / "leases" / f"{chain_id}-{escrow.lower()}"

    def read(self, lease_id: int) -> LeaseFile | None:
        """What is kept of a lease. Raises RenterError for a damaged file."""
        path = self._path(lease_id)
        try:
            return LeaseFile(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise RenterError(f"{path}: cannot be read ({error}); move it away to begin anew") from None

    def write(self, lease: LeaseFile) -> None:
        """Keeps it; the file is there in whole or not at all."""
        path = self._path(lease.lease_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(lease), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _path(self, lease_id: int) -> Path:
        return self._folder / f"{lease_id}.json"
