"""Which public port leads to which device, in one SQLite file: a port that is announced on the chain stays its device's
over restarts of either side, and nobody else gets it while the device is away for less than the hold.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from assay.network.port_range import PortRange
from assay.protocol.types import DeviceId
from assay.relay.errors import LinkRefused, RelayError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ports (
  port INTEGER PRIMARY KEY, device_id BLOB NOT NULL, place INTEGER NOT NULL, provider TEXT NOT NULL,
  held_until REAL NOT NULL, UNIQUE (device_id, place)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class PortRules:
    """`range` of ports, `each` at most of one provider account, `hold_s` that they are kept for an absent device."""

    range: PortRange
    each: int
    hold_s: float


class PortBook:
    """`now` gives seconds since 1970. Raises RelayError where the file cannot be used."""

    def __init__(self, path: Path | str, rules: PortRules, now: Callable[[], float]) -> None:
        self._rules, self._now = rules, now
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; {_SCHEMA}")
        except sqlite3.Error as error:
            raise RelayError(f"{path}: cannot be used ({error})") from None

    def assign(self, device: DeviceId, provider: str, count: int) -> tuple[int, ...]:
        """The device's ports, those it had before and others where they do not suffice; held from now. Raises
        LinkRefused where there is none, or the account has its share."""
        own = {place: port for port, place in self._rows(device) if port in self._rules.range}
        wanted = [place for place in range(count) if place not in own]
        until = self._now() + self._rules.hold_s
        with self._transaction():
            if wanted:
                self._drop_expired(device)
                if self._of_account(provider) + len(wanted) > self._rules.each:
                    raise LinkRefused(
                        "share",
                        f"{provider} has {self._rules.each} ports here, the most of one account, also while devices are"
                        " away",
                    )
                taken = {port for (port,) in self._database.execute("SELECT port FROM ports")}
                free = (port for port in self._rules.range if port not in taken)
                for place in wanted:
                    if (port := next(free, None)) is None:
                        raise LinkRefused("full", "no port is free here: choose another relay")
                    # One out of the range, which the operator has changed, gives way.
                    self._database.execute("DELETE FROM ports WHERE device_id = ? AND place = ?", (device, place))
                    self._database.execute(
                        "INSERT INTO ports VALUES (?, ?, ?, ?, ?)", (port, device, place, provider, until)
                    )
                    own[place] = port
            self._database.execute("UPDATE ports SET held_until = ? WHERE device_id = ?", (until, device))
        return tuple(own[place] for place in range(count))

    def hold(self, devices: Collection[DeviceId]) -> None:
        """Those are linked now: the hold begins anew."""
        until = self._now() + self._rules.hold_s
        self._database.executemany("UPDATE ports SET held_until = ? WHERE device_id = ?", [(until, d) for d in devices])

    def held(self) -> int:
        """How many ports are somebody's."""
        found = self._database.execute("SELECT count(*) FROM ports WHERE held_until > ?", (self._now(),)).fetchone()
        return int(found[0])

    def close(self) -> None:
        self._database.close()

    def _rows(self, device: DeviceId) -> list[tuple[int, int]]:
        return list(self._database.execute("SELECT port, place FROM ports WHERE device_id = ?", (device,)))

    def _of_account(self, provider: str) -> int:
        return int(self._database.execute("SELECT count(*) FROM ports WHERE provider = ?", (provider,)).fetchone()[0])

    def _drop_expired(self, but: DeviceId) -> None:
        self._database.execute("DELETE FROM ports WHERE held_until <= ? AND device_id != ?", (self._now(), but))

    def _transaction(self) -> sqlite3.Connection:
        # As a context it commits, or rolls back what was begun.
        self._database.execute("BEGIN IMMEDIATE")
        return self._database
