"""The endpoints of a daemon's leases: opened and closed by renters, shut by the provider, over with the lease."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from assay.provider.endpoints.lease_names import LeaseNames, route
from assay.provider.endpoints.listening import listening
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import PortTraffic, Protocol, PublicPort
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import EndpointRecord, Shut, ShutFile, read_records, write_records
from assay.provider.endpoints.traffic import CountedEndpoint
from assay.provider.errors import Conflict, Forbidden, NotFound, ProviderError
from assay.provider.ingress.configuration import NameRoute
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.layout import PodFolders
from assay.provider.pods.network import address_of
from assay.provider.pods.processes.keeper import LEASE_OVER, deadline_of
from assay.wire.pods import EndpointBody, EndpointsBody, ExposeBody

LOOK_S = 1.0
ANEW_S = 30.0  # what another program of this host did to the rules is put right after so long
COUNT_S, CERTIFICATES_S = 15.0, 5.0

log = structlog.get_logger()


@dataclass(frozen=True)
class EndpointSettings:
    """`host` is where the public ports are reached, None for where the daemon is; `most` is for one lease."""

    host: str | None = None
    most: int = 8


class Endpoints:
    """Ways for anybody into the pods of leases: `numbers` are None where there are no public ports, `names` where there
    is no domain. Calls block."""

    def __init__(
        self,
        pods: PodmanPods,
        table: PortTable,
        numbers: PortNumbers | None,
        shut: ShutFile,
        settings: EndpointSettings,
        clock: Callable[[], float] = time.time,
        names: LeaseNames | None = None,
    ) -> None:
        self._pods = pods
        self._table = table
        self._numbers = numbers
        self._names = names
        self._shut = shut
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        self._held: tuple[PublicPort, ...] | None = None
        self._held_at = float("-inf")
        self._told: set[str] = set()
        self._counted: tuple[CountedEndpoint, ...] = ()

    def open(self, lease_id: int, asked: ExposeBody, renter: str = "") -> EndpointBody:
        """A public port or a name that leads to one of the pod's; the one that does so already. Raises Conflict,
        Forbidden, Unavailable."""
        domain = self._proven(lease_id, asked, renter)
        with self._lock:
            folders, shut = self._pods.folders(lease_id), self._shut.read()
            if (reason := shut.reason(lease_id)) is not None:
                raise Forbidden(f"the provider has shut the endpoints of lease {lease_id}: {reason}")
            if not folders.spec.exists():
                raise Conflict(f"lease {lease_id} has no pod yet: try again once `assay pod show {lease_id}` shows one")
            if self._is_over(lease_id):
                raise Conflict(f"lease {lease_id} is over")
            records = read_records(folders.endpoints)
            known = next((one for one in records if self._is_asked(one, asked, domain)), None)
            if known is not None and asked.public_port not in (None, known.public):
                raise Conflict(
                    f"{asked.protocol} port {asked.port} of the pod is reached at {known.public} already: close that"
                )
            if known is None and len(records) >= self._settings.most:
                raise Conflict(f"a lease has {self._settings.most} endpoints at most here: close one first")
            if known is None or asked.login not in (None, known.login):
                known = self._opened(folders, records, known, asked, domain, renter)
                log.info("endpoint opened", lease=lease_id, port=asked.port, public=f"{known.protocol}/{known.key}")
            return self._body(lease_id, known, shut, self._passed())

    def _opened(
        self,
        folders: PodFolders,
        records: list[EndpointRecord],
        known: EndpointRecord | None,
        asked: ExposeBody,
        domain: str | None,
        renter: str,
    ) -> EndpointRecord:
        """Kept and leading on, or neither. In the place of `known` where that only changes its login."""
        if known is not None:
            made = replace(known, login=asked.login)
        elif asked.protocol == "https":
            now, most = int(self._clock()), self._settings.most
            made = self._of_names().made(asked, domain, renter, now, folders, records, most)
        else:
            public = self._of_numbers().take(asked.protocol, folders.lease, asked.public_port)
            made = EndpointRecord(asked.protocol, asked.port, public, int(self._clock()))
        try:
            write_records(folders.endpoints, [*(one for one in records if one != known), made])
            self._follow(strict=True)
        except BaseException:
            write_records(folders.endpoints, records)
            self._let_go(made, folders)
            raise
        return made

    def close(self, lease_id: int, protocol: Protocol, public: int) -> None:
        """Nothing comes through it any more, and connections break off. Raises NotFound."""
        self._close(
            lease_id,
            lambda one: (one.protocol, one.public) == (protocol, public),
            f"at {protocol} port {public}",
        )

    def close_name(self, lease_id: int, name: str) -> None:
        """The same for a name."""
        self._close(lease_id, lambda one: bool(one.name) and one.name == name, f"with the name {name[:80]!r}")

    def _close(self, lease_id: int, is_meant: Callable[[EndpointRecord], bool], which: str) -> None:
        with self._lock:
            folders = self._pods.folders(lease_id)
            records = read_records(folders.endpoints)
            gone = [one for one in records if is_meant(one)]
            if not gone:
                raise NotFound(f"lease {lease_id} has no endpoint {which}")
            write_records(folders.endpoints, [one for one in records if one not in gone])
            self._follow()
            for one in gone:
                self._let_go(one, folders)
                log.info("endpoint closed", lease=lease_id, public=f"{one.protocol}/{one.key}")

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

    def counted(self) -> tuple[CountedEndpoint, ...]:
        """What has gone through each of all leases, as of the last count."""
        return self._counted

    async def run(self) -> None:
        """Keeps the rules in line with leases until cancelled: ports and names lead on to their pods after that."""
        rounds = [self._again(self.follow, LOOK_S, "looked after"), self._again(self.count, COUNT_S, "counted")]
        if self._names is not None:
            look = self._names.ingress.look_at_certificates
            rounds.append(self._again(look, CERTIFICATES_S, "looked at for their certificates"))
        try:
            await asyncio.gather(*rounds)
        finally:
            if self._numbers is not None:
                self._numbers.close()

    async def _again(self, work: Callable[[], None], every_s: float, what: str) -> None:
        while True:
            try:
                await asyncio.to_thread(work)
            except Exception as error:  # a damaged file, a program that is away: the next look comes all the same
                self._tell_once(f"endpoints are not {what}: {error}")
            await asyncio.sleep(every_s)

    def follow(self) -> None:
        """One look at all leases. Raises ProviderError, OSError."""
        with self._lock:
            self._follow()

    def count(self) -> None:
        """Counts what has gone through. Raises ProviderError, OSError."""
        found, passed = list[CountedEndpoint](), self._passed()
        for lease_id in self._pods.known():
            for one in read_records(self._pods.folders(lease_id).endpoints):
                through = passed.get(one.counted_as, PortTraffic())
                found.append(CountedEndpoint(lease_id, one.protocol, one.port, through))
        self._counted = tuple(found)

    def _follow(self, strict: bool = False) -> None:
        """With `strict` an ingress that is away is an error, else a line in the log: ports do not wait for it."""
        shut, wanted, routes, now = self._shut.read(), list[PublicPort](), list[NameRoute](), self._clock()
        numbers = set[tuple[Protocol, int]]()
        for lease_id in self._pods.known():
            try:
                ports, names = self._of_lease(lease_id, shut)
                wanted += ports
                routes += names
                for one in read_records(self._pods.folders(lease_id).endpoints):
                    if one.protocol != "https":
                        numbers.add((one.protocol, one.public))
            except (ProviderError, OSError) as error:  # of one lease: those of the others are kept all the same
                self._tell_once(f"the endpoints of lease {lease_id} are not open: {error}")
        if (made := tuple(sorted(wanted))) != self._held or now - self._held_at >= ANEW_S:
            self._held = None
            self._table.hold(made, now)
            self._held, self._held_at = made, now
        if self._numbers is not None:
            self._numbers.keep(numbers)
        if self._names is not None:
            try:
                self._names.ingress.hold(routes)
            except ProviderError as error:
                if strict:
                    raise
                self._tell_once(f"names are not served: {error}")

    def _of_lease(self, lease_id: int, shut: Shut) -> tuple[list[PublicPort], list[NameRoute]]:
        folders = self._pods.folders(lease_id)
        records = read_records(folders.endpoints)
        if not records:
            return [], []
        if self._is_over(lease_id):
            folders.endpoints.unlink(missing_ok=True)
            for one in records:
                self._let_go(one, folders)
            log.info("endpoints closed with their lease", lease=lease_id, count=len(records))
            return [], []
        slot, until = self._pods.slots.of(folders.lease), deadline_of(folders)
        ports, routes = list[PublicPort](), list[NameRoute]()
        for one in records:
            if shut.reason(lease_id, one.key) is not None:
                continue
            if one.protocol == "https":
                if self._names is None:
                    self._tell_once(f"{one.name} of lease {lease_id} is closed: there is no domain any more")
                    continue
                routes.append(route(one))
                ports.append(PublicPort("tcp", one.public, address_of(slot), one.port, slot, until, one.front))
            elif self._numbers is None or one.public not in self._numbers.ports:
                self._tell_once(f"port {one.public} of lease {lease_id} is out of the public ports, and closed")
            else:
                if not self._numbers.hold(one.protocol, one.public):
                    self._tell_once(f"{one.protocol} port {one.public} of lease {lease_id} is a program's of this host")
                ports.append(PublicPort(one.protocol, one.public, address_of(slot), one.port, slot, until))
        return ports, routes

    def _proven(self, lease_id: int, asked: ExposeBody, renter: str) -> str | None:
        """The renter's domain once it is known to be that; None where none is asked for. Outside of the lock, since
        resolvers may take their time."""
        if asked.protocol != "https":
            self._of_numbers()
            return None
        names = self._of_names()
        if asked.domain is None:
            return None
        domain = names.parsed(asked.domain)
        names.prove(domain, renter, read_records(self._pods.folders(lease_id).endpoints))
        for other in self._pods.known():
            folders = self._pods.folders(other)
            records = read_records(folders.endpoints)
            held = [one for one in records if one.name == domain]
            if held and other == lease_id and held[0].port != asked.port:
                raise Conflict(f"{domain} leads to port {held[0].port} of this lease's pod already: close that first")
            if held and other != lease_id and not self._is_over(other):
                if names.is_proven(domain, held[0].owner, records):
                    raise Conflict(f"{domain} leads to another lease of this provider already: close it there first")
                self.close_name(other, domain)  # the domain is not its renter's any more
        return domain

    def _is_asked(self, one: EndpointRecord, asked: ExposeBody, domain: str | None) -> bool:
        if asked.protocol == "https":
            return self._of_names().is_asked(one, asked, domain)
        return (one.protocol, one.port) == (asked.protocol, asked.port)

    def _of_numbers(self) -> PortNumbers:
        if self._numbers is None:
            raise Conflict("this provider has no public ports, but names with HTTPS: `assay expose LEASE PORT --https`")
        return self._numbers

    def _of_names(self) -> LeaseNames:
        if self._names is None:
            raise Conflict(
                "this provider has no domain for names with HTTPS: `assay expose LEASE PORT` without --https"
            )
        return self._names

    def _let_go(self, one: EndpointRecord, folders: PodFolders) -> None:
        if one.protocol != "https" and self._numbers is not None:
            self._numbers.free(one.protocol, one.public, folders.lease)

    def _is_over(self, lease_id: int) -> bool:
        folders = self._pods.folders(lease_id)
        if self._clock() >= deadline_of(folders):
            return True
        try:
            return folders.halted.read_text() == LEASE_OVER
        except OSError:
            return False

    def _passed(self) -> Mapping[str, PortTraffic]:
        return self._table.there(self._clock()).passed

    def _body(self, lease_id: int, one: EndpointRecord, shut: Shut, passed: Mapping[str, PortTraffic]) -> EndpointBody:
        through = passed.get(one.counted_as, PortTraffic())
        named = one.protocol == "https"
        certified = named and self._names is not None and self._names.ingress.is_certified(one.name)
        login = None if one.login is None else "key" if one.login.bearer else one.login.user
        return EndpointBody(
            protocol=one.protocol,
            port=one.port,
            public_port=one.public,
            host=one.name if named else self._settings.host,
            listening=listening(self._pods.status(lease_id).pid, "udp" if one.protocol == "udp" else "tcp", one.port),
            shut=shut.reason(lease_id, one.key),
            connections=through.connections,
            received_bytes=through.received_bytes,
            sent_bytes=through.sent_bytes,
            opened_at=one.opened_at,
            login=login,
            certificate=("ready" if certified else "waiting") if named else None,
        )

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning(what)
