"""Validators in one event loop over the model chain: real rules, phases, stores and
signatures; no sockets, no sleep.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from assay.chain.key_files import Key
from assay.network.client import HttpAnswer
from assay.protocol.epochs import Phase, Timing
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.keccak import keccak
from assay.signing.seat_signer import SeatSigner
from assay.signing.witness import Witness
from assay.validator.chain.follower import Follower
from assay.validator.daemon import Daemon
from assay.validator.devices.reachability import Reachability
from assay.validator.errors import PeerFailure, Refused
from assay.validator.pace import pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.peers.inbox import Inbox
from assay.validator.peers.posts import Posts
from assay.validator.peers.publication import Publication
from assay.validator.rules.values import Seat
from assay.validator.services import ValidatorServices
from assay.validator.storage.store import Store
from assay.validator.storage.tables import open_database
from assay.validator.wake import Wake
from assay.wire.gossip import BatchMessage, InstantMessage, InventoryMessage, ReportProposal, SealProposal
from assay.wire.post_headers import PostHeaders

from .chain import Chain, Reader, Writer
from .devices import Checker, SimDevice, SimDevices
from .power_cuts import STATEMENTS, STORE, WRITER, Tripwire
from .slashable import RecordedSigner, assert_nothing_slashable
from .virtual_time import START, VirtualClock

TIMING = Timing(int(START) + 5, 20, 5, 15, 19, 30, 2, 300)
T = TypeVar("T")
Mutate = Callable[[str, str, bytes], bytes | None]
"""(recipient, path, body) -> the body that is sent in its place, None for silence."""
Ignores = Callable[[str, str], bool]
"""(who asks, path) -> whether the seat leaves it without an answer."""


def seat_key(i: int) -> Key:
    return Key(keccak(b"seat" + bytes([i])))


@dataclass
class Node:
    """One validator."""

    daemon: Daemon
    inbox: Inbox
    publication: Publication
    signer: SeatSigner
    task: asyncio.Task | None = None


def reachability_of(node: Node) -> Reachability:
    """What dials devices for their providers, over a node's own view of the chain."""
    services = node.daemon.services
    return Reachability(
        services.reader, services.devices, services.clock, lambda: services.follower.final, services.random
    )


@dataclass
class SimNetwork:
    """`silent` seats never run; `mutate` gives a seat's lies by its position."""

    folder: Path
    seats: int = 4
    devices: list[SimDevice] = field(default_factory=lambda: [SimDevice(1), SimDevice(2)])
    silent: frozenset[int] = frozenset()
    mutate: dict[int, Mutate] = field(default_factory=dict)
    ignores: dict[int, Ignores] = field(default_factory=dict)  # by seat, what it does not answer
    offsets: dict[int, float] = field(default_factory=dict)
    loss: float = 0.0
    timing: Timing = TIMING
    look_s: float = 0.25  # between looks at the chain
    seed: int = 0
    cut_at: int | None = None  # step of the first node at which its power fails; it starts again a second later
    nodes: dict[int, Node] = field(default_factory=dict)
    lies_about_openings: set[str] = field(default_factory=set)  # accounts that pass on garbage
    trickles: set[str] = field(default_factory=set)  # accounts whose every answer comes at a byte a second
    said: dict[int, list[Any]] = field(default_factory=dict)  # statements by seat, in order
    given_up: set[asyncio.Task] = field(default_factory=set)  # requests that took longer than their asker waited
    publications: dict[int, Publication] = field(default_factory=dict)  # of all, after `run`
    stores: dict[int, Store] = field(default_factory=dict)  # the same

    def __post_init__(self) -> None:
        keys = [seat_key(i) for i in range(self.seats)]
        self.accounts = tuple(Seat(key.address, key.address) for key in keys)
        self.chain = Chain(self.timing, self.accounts, tuple(d.device for d in self.devices))
        self.sim_devices = SimDevices(self.devices, self.seats)
        self.random = random.Random(self.seed)
        self.wires: list[Tripwire] = []

    @staticmethod
    def account_of(i: int) -> str:
        """Account of a seat."""
        return seat_key(i).address

    def start(self, i: int, latest_epoch: int = -1) -> None:
        """Starts a validator, over whatever it stored before."""
        clock, key = VirtualClock(self.offsets.get(i, 0.0)), seat_key(i)
        folder = self.folder / f"node-{i}"
        wake, reader, speed = Wake(clock), self.reader(i), pace(self.timing)
        store = Store(open_database(folder / "validator.sqlite"), clock.now)
        signer = SeatSigner(
            key, reader.domain, folder / "signing.sqlite", latest_epoch, witness=Witness(folder / "witness")
        )
        peers = SimPeers(self, i)
        writer = self.writer(i, clock)
        statements: Any = RecordedSigner(signer, self.said.setdefault(i, []))
        if i == 0:
            wire = Tripwire(self.cut_at if not self.wires else None, lambda: self._cut(0))
            self.wires.append(wire)
            store, writer = wire.around(store, STORE), wire.around(writer, WRITER)
            statements = wire.around(statements, STATEMENTS)
        services = ValidatorServices(
            reader=reader, writer=writer, statements=statements,
            gossip=Gossiper(peers, Posts(key.address, statements.sign_gossip), clock, speed.request_s),
            devices=self.sim_devices, checker=Checker(),
            store=store, clock=clock, wake=wake, follower=Follower(reader, wake, clock, self.look_s), pace=speed,
            random=self.random.randbytes,
        )  # fmt: skip
        daemon = Daemon(services, peers, key.address)
        node = Node(daemon, Inbox(daemon.run_of, clock, wake), Publication(store, reader.domain), signer)
        node.task = asyncio.create_task(daemon.run())
        self.nodes[i] = node

    async def mine(self) -> None:
        """Blocks, for ever."""
        await self.chain.mine()

    def reader(self, i: int) -> Any:
        """What a validator sees of the chain."""
        return Reader(self.chain)

    def writer(self, i: int, clock: VirtualClock) -> Any:
        """How a validator sends transactions."""
        return Writer(self.chain, seat_key(i).address)

    async def kill(self, i: int) -> None:
        """Stops a validator where it stands."""
        node = self.nodes.pop(i)
        node.task.cancel()
        await asyncio.gather(node.task, return_exceptions=True)
        node.signer.close()

    def _cut(self, i: int) -> None:
        async def restart() -> None:
            await self.kill(i)
            await asyncio.sleep(1)
            self.start(i)

        self._restarting = asyncio.create_task(restart())

    async def run(self, epochs: int, during: Callable | None = None) -> None:
        """Runs until the last of the first `epochs` epochs is reported, or past reporting."""
        mining = asyncio.create_task(self.mine())
        await asyncio.sleep(0)
        for i in range(self.seats):
            if i not in self.silent:
                self.start(i)
        happening = asyncio.create_task(during(self)) if during else None
        end = START + 5 + (epochs - 1) * self.timing.epoch_length + self.timing.report_by + 8
        while VirtualClock().now() < end and self.phase(epochs - 1) not in (Phase.REPORTED, Phase.VOID):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        await asyncio.sleep(6)  # until that is final, and noted
        for task in (mining, happening):
            if task is not None:
                task.cancel()
                (ended,) = await asyncio.gather(task, return_exceptions=True)
                if isinstance(ended, Exception):
                    raise ended  # what was to happen did not
        for i in list(self.nodes):
            self.last = self.nodes[i]
            self.publications[i] = self.last.publication
            self.stores[i] = self.last.daemon.services.store
            await self.kill(i)
        vetoed = getattr(self.chain, "vetoed", ())
        assert_nothing_slashable(self.said, self.stores, self.accounts, self.devices, self.sim_devices.domain, vetoed)

    def phase(self, epoch: int) -> Phase:
        """Phase at the head."""
        return self.chain.states[-1][epoch].phase if epoch in self.chain.states[-1] else Phase.NONE

    def lines(self, epoch: int) -> dict[int, dict]:
        """Report lines by the number of the device."""
        index = self.last.publication.epoch(epoch)
        numbers = {to_hex(d.device.device_id): d.number for d in self.devices}
        return {numbers[entry["leaf"]["deviceId"]]: entry["leaf"] for entry in index["devices"]}


class SimPeers:
    """The peers' port: calls into the other nodes of the loop, with their limits of time."""

    def __init__(self, network: SimNetwork, own: int) -> None:
        self._network, self._own = network, own

    def update(self, endpoints) -> None:
        return None

    def accounts(self):
        return [seat.account for seat in self._network.accounts]

    async def post(
        self, account: str, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> HttpAnswer:
        mutate = self._network.mutate.get(self._own)
        changed = mutate(account, path, body) if mutate else body
        if changed is None:
            raise PeerFailure("said nothing")
        inbox = (await self._node(account, path, timeout_s)).inbox
        try:
            inbox.sender(path, PostHeaders.parse(headers))
            signature = await self._in_time(self._deliver(inbox, path, changed), timeout_s)
        except OperationalError:
            return HttpAnswer(503, b'{"reason": "nothing can be stored"}')  # as the interface does
        except Refused as error:
            return HttpAnswer(error.status, json.dumps({"reason": error.reason}).encode())
        given = {"signature": to_hex(signature) if signature else None}
        return await self._paced(account, HttpAnswer(200, json.dumps(given).encode()))

    async def _in_time(self, answering: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """The answer, unless the asker gives up before: a server answers to the end even so."""
        task = asyncio.create_task(answering)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        finally:
            if not task.done():
                self._network.given_up.add(task)
                task.add_done_callback(lambda ended: None if ended.cancelled() else ended.exception())
        if not done:
            raise PeerFailure("no answer in time")
        return task.result()

    async def _paced(self, account: str, answer: HttpAnswer) -> HttpAnswer:
        """As a client gets it whose limit of time is that of each read."""
        if account in self._network.trickles:
            await asyncio.sleep(len(answer.body))
        return answer

    async def _deliver(self, inbox: Inbox, path: str, body: bytes) -> bytes | None:
        if path == "/v1/instants":
            inbox.instant(InstantMessage.parse(body))
        elif path == "/v1/inventories":
            inbox.inventory(InventoryMessage.parse(body))
        elif path == "/v1/observations":
            inbox.batch(BatchMessage.parse(body))
        elif path == "/v1/seal-proposals":
            return await inbox.seal_proposal(SealProposal.parse(body))
        else:
            return await inbox.report_proposal(ReportProposal.parse(body))
        return None

    async def get(self, account: str, path: str, max_bytes: int, timeout_s: float) -> HttpAnswer:
        answer = await self._got(account, path, timeout_s)
        if account in self._network.trickles and answer.status != 200:
            answer = HttpAnswer(200, bytes(max_bytes))  # it claims to have everything
        return await self._paced(account, answer)

    async def _got(self, account: str, path: str, timeout_s: float) -> HttpAnswer:
        node = await self._node(account, path, timeout_s)
        kind, name, *rest = path.removeprefix("/v1/").split("/")
        if rest:
            opening = node.daemon.services.store.valid_opening(int(name), parse_bytes32(rest[1]))
            if account in self._network.lies_about_openings:
                return HttpAnswer(200, b"garbage")
            return HttpAnswer(404, b"{}") if opening is None else HttpAnswer(200, opening)
        if kind == "content":
            found = node.daemon.services.store.content(parse_bytes32(name))
            return HttpAnswer(404, b"{}") if found is None else HttpAnswer(200, found[1])
        index = node.publication.epoch(int(name))
        return HttpAnswer(404, b"{}") if index is None else HttpAnswer(200, json.dumps(index).encode())

    async def _node(self, account: str, path: str, timeout_s: float) -> Node:
        await asyncio.sleep(self._network.random.uniform(0.01, 0.08))
        i = next(i for i, seat in enumerate(self._network.accounts) if seat.account == account)
        ignores = self._network.ignores.get(i)
        if ignores is not None and ignores(self._network.account_of(self._own), path):
            await asyncio.sleep(timeout_s)
            raise PeerFailure("no answer")
        if i not in self._network.nodes or self._network.random.random() < self._network.loss:
            await asyncio.sleep(min(timeout_s, 1.0))
            raise PeerFailure("no answer")
        return self._network.nodes[i]
