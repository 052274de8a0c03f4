"""How many bytes the workspaces of leases hold: measured seldom, and counted on by what is put."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.provider.errors import TooLarge

MEASURE_EVERY_S = 10.0  # while workloads may write, too


@dataclass
class _Held:
    size: int
    measured_at: float


class DiskUse:
    """`measure` walks a lease's workspace, which may take long: not for every file that is
    put. Callers hold the lease's lock.
    """

    def __init__(self, measure: Callable[[int], int], clock: Callable[[], float]) -> None:
        self._measure = measure
        self._clock = clock
        self._held: dict[int, _Held] = {}
        self._written: set[int] = set()

    def require(self, lease_id: int, more: int, most: int) -> None:
        """Raises TooLarge where `more` bytes would be beyond the lease's `most`."""
        held, now = self._held.get(lease_id), self._clock()
        changed = lease_id in self._written
        if held is None or (changed and now - held.measured_at >= MEASURE_EVERY_S):
            held = self._measured(lease_id, now)
        # Nobody is refused by what was measured earlier: workloads remove files as well.
        if held.size + more > most and changed and now > held.measured_at:
            held = self._measured(lease_id, now)
        if held.size + more > most:
            raise TooLarge(f"files of {held.size + more} bytes are beyond the lease's {most}")

    def add(self, lease_id: int, change: int) -> None:
        """Notes that so many bytes came, or went where it is negative."""
        if lease_id in self._held:
            self._held[lease_id].size += change

    def workload_writes(self, lease_id: int) -> None:
        """Notes that from now on not only this process writes the workspace."""
        self._written.add(lease_id)

    def forget(self, lease_id: int) -> None:
        """The lease's files are gone."""
        self._held.pop(lease_id, None)
        self._written.discard(lease_id)

    def _measured(self, lease_id: int, now: float) -> _Held:
        self._held[lease_id] = _Held(self._measure(lease_id), now)
        return self._held[lease_id]
