"""Where the backups of each lease go, remembered between commands; nothing secret is in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.renter.errors import RenterError


@dataclass(frozen=True)
class BackupPlace:
    """Where a lease's files are kept: as the person named it, and how often, in seconds; None for once. And what its
    pod started from, so that another can where its provider does not answer any more."""

    lease_id: int
    place: str
    endpoint: str | None = None
    repository_key: str | None = None
    ssh_key: str | None = None
    ssh_host_key: str | None = None
    every: int | None = None
    image: str | None = None
    digest: str | None = None
    start: Sequence[str] = ()
    ports: Sequence[int] = ()


class BackupFiles:
    """One file a lease, readable by the owner only, in a folder of the chain and escrow it belongs to."""

    def __init__(self, folder: Path, chain_id: int, escrow: str) -> None:
        self.keys = folder / "backups" / "keys"
        self._folder = folder / "backups" / f"{chain_id}-{escrow.lower()}"

    def read(self, lease_id: int) -> BackupPlace | None:
        """None where none was made. Raises RenterError for a damaged file."""
        path = self._path(lease_id)
        try:
            return BackupPlace(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise RenterError(f"{path}: cannot be read ({error}); move it away to begin anew") from None

    def write(self, place: BackupPlace) -> None:
        """Keeps it; the file is there in whole or not at all."""
        write_private(self._path(place.lease_id), json.dumps(asdict(place)))

    def _path(self, lease_id: int) -> Path:
        return self._folder / f"{lease_id}.json"


def write_private(path: Path, text: str) -> None:
    """Writes a file of the owner's alone, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
