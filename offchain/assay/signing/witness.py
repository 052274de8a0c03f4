"""A second memory of how much was signed, kept where backups do not reach.

It lies in a directory that the system empties when it starts (/run, or another tmpfs). A record
restored from a backup is behind its witness; a machine restored from an image, or a record
moved to another machine, has none.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

RUNTIME_VARIABLE = "RUNTIME_DIRECTORY"  # systemd's; with RuntimeDirectoryPreserve=yes it outlives a restart
_FALLBACK = "/dev/shm"  # noqa: S108 - a tmpfs on every Linux; the file below it is private


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a witness remembers: of which record, and how many statements it held."""

    record_id: str
    count: int


class Witness:
    """The witness of one key, a small file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Sighting | None:
        """None where there is none, or none that can be read."""
        try:
            data = json.loads(self.path.read_text())
            return Sighting(str(data["record"]), int(data["count"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, sighting: Sighting) -> None:
        """Replaces the file in one step. Raises OSError, and then the signature must not leave."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({"record": sighting.record_id, "count": sighting.count}, file)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def default_witness(address: str, domain_separator: bytes) -> Witness:
    """The witness of a key in this machine's runtime directory."""
    named = os.environ.get(RUNTIME_VARIABLE)
    folder = Path(named.split(":")[0]) / "assay" if named else Path(_FALLBACK) / f"assay-{os.getuid()}"
    return Witness(folder / f"{address.lower()}-{domain_separator.hex()[:16]}.signed")
