"""The endpoints of a daemon's leases: opened and closed by renters, shut by the provider, over with the lease."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from assay.provider.endpoints.listening import listening
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import PortTraffic, Protocol, PublicPort
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import EndpointRecord, Shut, ShutFile, read_records, write_records
from assay.provider.errors import Conflict, Forbidden, NotFound, ProviderError
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.network import address_of
from assay.provider.pods.processes.keeper import LEASE_OVER, deadline_of
from assay.wire.pods import EndpointBody, EndpointsBody, ExposeBody

LOOK_S = 1.0
ANEW_S = 30.0  # what another program of this host did to the rules is put right after so long

log = structlog.get_logger()


@dataclass(frozen=True)
class EndpointSettings:
    """`host` is where the public ports are reached, None for where the daemon is; `most` is for one lease."""

    host: str | None = None
    most: int = 8


class Endpoints:
    """Public ports for the pods of leases. Calls block."""

    def __init__(
        self,
        pods: PodmanPods,
        table: PortTable,
        numbers: PortNumbers,
        shut: ShutFile,
        settings: EndpointSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pods = pods
        self._table = table
        self._numbers = numbers
        self._shut = shut
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        self._held: tuple[PublicPort, ...] | None = None
        self._held_at = float("-inf")
        self._told: set[str] = set()

    def open(self, lease_id: int, asked: ExposeBody) -> EndpointBody:
        """A public port that leads to one of the pod's; the one that does so already. Raises Conflict, Forbidden,
        Unavailable."""
        with self._lock:
            folders, shut = self._pods.folders(lease_id), self._shut.read()
            if (reason := shut.reason(lease_id)) is not None:
                raise Forbidden(f"the provider has shut the endpoints of lease {lease_id}: {reason}")
            if not folders.spec.exists():
                raise Conflict(f"lease {lease_id} has no pod yet: try again once `assay pod show {lease_id}` shows one")
            if self._is_over(lease_id):
                raise Conflict(f"lease {lease_id} is over")
            records = read_records(folders.endpoints)
            known = [one for one in records if (one.protocol, one.port) == (asked.protocol, asked.port)]
            if known and asked.public_port not in (None, known[0].public):
                raise Conflict(
                    f"{asked.protocol} port {asked.port} of the pod is reached at {known[0].public} already: close that"
                )
            if not known:
                if len(records) >= self._settings.most:
                    raise Conflict(f"a lease has {self._settings.most} endpoints at most here: close one first")
                public = self._numbers.take(asked.protocol, folders.lease, asked.public_port)
                known = [EndpointRecord(asked.protocol, asked.port, public, int(self._clock()))]
                try:
                    write_records(folders.endpoints, [*records, *known])
                    self._follow()
                except BaseException:
                    write_records(folders.endpoints, records)
                    self._numbers.free(asked.protocol, public, folders.lease)
                    raise
                log.info("endpoint opened", lease=lease_id, port=asked.port, public=f"{asked.protocol}/{public}")
            return self._body(lease_id, known[0], shut, self._passed())

    def close(self, lease_id: int, protocol: Protocol, public: int) -> None:
        """Nothing comes through it any more, and connections break off. Raises NotFound."""
        with self._lock:
            folders = self._pods.folders(lease_id)
            records = read_records(folders.endpoints)
            left = [one for one in records if (one.protocol, one.public) != (protocol, public)]
            if len(left) == len(records):
                raise NotFound(f"lease {lease_id} has no endpoint at {protocol} port {public}")
            write_records(folders.endpoints, left)
            self._follow()
            self._numbers.free(protocol, public, folders.lease)
            log.info("endpoint closed", lease=lease_id, public=f"{protocol}/{public}")

    def shown(self, lease_id: int) -> EndpointsBody:
        """A lease's endpoints, and what has gone through each."""
        with self._lock:
            records = [] if self._is_over(lease_id) else read_records(self._pods.folders(lease_id).endpoints)
            shut, passed = self._shut.read(), self._passed()
            return EndpointsBody(
                most=self._settings.most,
                shut=shut.reason(lease_id),
                endpoints=[self._body(lease_id, one, shut, passed) for one in records],
            )

    async def run(self) -> None:
        """Keeps the rules in line with leases until cancelled: ports lead on to their pods after that."""
        try:
            while True:
                try:
                    await asyncio.to_thread(self.follow)
                except Exception as error:  # a damaged file, a program that is away: the next look comes all the same
                    self._tell_once(f"endpoints are not looked after: {error}")
                await asyncio.sleep(LOOK_S)
        finally:
            self._numbers.close()

    def follow(self) -> None:
        """One look at all leases. Raises ProviderError, OSError."""
        with self._lock:
            self._follow()

    def _follow(self) -> None:
        shut, wanted, now = self._shut.read(), list[PublicPort](), self._clock()
        numbers = set[tuple[Protocol, int]]()
        for lease_id in self._pods.known():
            try:
                wanted += self._of_lease(lease_id, shut)
                numbers |= {(one.protocol, one.public) for one in read_records(self._pods.folders(lease_id).endpoints)}
            except (ProviderError, OSError) as error:  # of one lease: those of the others are kept all the same
                self._tell_once(f"the endpoints of lease {lease_id} are not open: {error}")
        if (made := tuple(sorted(wanted))) != self._held or now - self._held_at >= ANEW_S:
            self._held = None
            self._table.hold(made, now)
            self._held, self._held_at = made, now
        self._numbers.keep(numbers)

    def _of_lease(self, lease_id: int, shut: Shut) -> list[PublicPort]:
        folders = self._pods.folders(lease_id)
        records = read_records(folders.endpoints)
        if not records:
            return []
        if self._is_over(lease_id):
            folders.endpoints.unlink(missing_ok=True)
            for one in records:
                self._numbers.free(one.protocol, one.public, folders.lease)
            log.info("endpoints closed with their lease", lease=lease_id, count=len(records))
            return []
        slot, until = self._pods.slots.of(folders.lease), deadline_of(folders)
        found = []
        for one in records:
            if one.public not in self._numbers.ports:
                self._tell_once(f"port {one.public} of lease {lease_id} is out of the public ports, and closed")
            elif shut.reason(lease_id, one.public) is None:
                if not self._numbers.hold(one.protocol, one.public):
                    self._tell_once(f"{one.protocol} port {one.public} of lease {lease_id} is a program's of this host")
                found.append(PublicPort(one.protocol, one.public, address_of(slot), one.port, slot, until))
        return found

    def _is_over(self, lease_id: int) -> bool:
        folders = self._pods.folders(lease_id)
        if self._clock() >= deadline_of(folders):
            return True
        try:
            return folders.halted.read_text() == LEASE_OVER
        except OSError:
            return False

    def _passed(self) -> dict[tuple[str, int], PortTraffic]:
        return dict(self._table.there(self._clock()).passed)

    def _body(
        self, lease_id: int, one: EndpointRecord, shut: Shut, passed: dict[tuple[str, int], PortTraffic]
    ) -> EndpointBody:
        through = passed.get((one.protocol, one.public), PortTraffic())
        reason = shut.reason(lease_id, one.public)
        return EndpointBody(
            protocol=one.protocol,
            port=one.port,
            public_port=one.public,
            host=self._settings.host,
            listening=listening(self._pods.status(lease_id).pid, one.protocol, one.port),
            shut=reason,
            connections=through.connections,
            received_bytes=through.received_bytes,
            sent_bytes=through.sent_bytes,
            opened_at=one.opened_at,
        )

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning(what)
