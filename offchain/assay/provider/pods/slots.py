"""Numbers that no two pods of a host share: each stands for a range of user ids and an address.

Kept on disk, outside any daemon's folder, so that two daemons of one host agree, after it was started anew as well.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from assay.provider.errors import Unavailable
from assay.provider.runtime.file_lock import locked

IDS = 65_536
# Above what distributions hand out, below what the kernel's sysctls on group ids take.
FIRST_ID = 0x7000_0000
MAX_SLOTS = 4_000


def first_id(slot: int) -> int:
    """The host's user and group id of the pod's root."""
    return FIRST_ID + slot * IDS


class PodSlots:
    """Which lease holds which number: a file for each, with the lease's folder in it."""

    def __init__(self, folder: Path = Path("/var/lib/assay/slots")) -> None:
        self._folder = folder

    def of(self, lease_folder: Path) -> int:
        """The number of a lease, a free one where it has none yet. Raises Unavailable, OSError."""
        with self._alone():
            taken = self._taken()
            for slot, holder in taken.items():
                if holder == lease_folder:
                    return slot
            free = next((slot for slot in range(MAX_SLOTS) if slot not in taken), None)
            if free is None:
                raise Unavailable(f"this host has {MAX_SLOTS} pods already")
            partial = self._folder / ".partial"
            partial.write_text(str(lease_folder))
            partial.replace(self._folder / str(free))
            return free

    def free(self, lease_folder: Path) -> None:
        """Lets the number of a lease go."""
        with self._alone():
            for slot, holder in self._taken().items():
                if holder == lease_folder:
                    (self._folder / str(slot)).unlink(missing_ok=True)

    def _taken(self) -> dict[int, Path]:
        """Numbers whose lease is still there."""
        taken = {}
        for file in self._folder.iterdir():
            if file.name.isdigit():
                holder = Path(file.read_text())
                if holder.is_dir():
                    taken[int(file.name)] = holder
                else:
                    file.unlink(missing_ok=True)
        return taken

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._folder / ".lock")
