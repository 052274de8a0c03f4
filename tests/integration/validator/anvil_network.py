"""Validators in one event loop over a real anvil with the real contracts: real readers, senders, journals, proxies that
misbehave; virtual time, so that an epoch takes as long as its arithmetic however busy the machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.rpc.endpoint import HttpEndpoint
from assay.chain.rpc.pool import EndpointPool
from assay.chain.transactions.intents import FeePolicy, Intent
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender, SendStep
from assay.protocol.epochs import EpochState, Phase
from assay.protocol.keccak import keccak
from assay.validator.chain.chain_reader import ContractReader
from assay.validator.chain.chain_writer import ContractWriter
from tests.integration.chain.fault_proxy import FaultProxy
from tests.integration.validator.local_chain import LocalChain
from tests.integration.validator.paced_time import PacedTransport, late, run
from tests.unit.validator.simulation.devices import SimDevice, SimDevices
from tests.unit.validator.simulation.network import TIMING, SimNetwork, seat_key
from tests.unit.validator.simulation.virtual_time import START, VirtualClock

PROVIDER = Key(keccak(b"provider"))
TRANSACTION_S = 20.0
PHASE_CACHE_SIZE = 4  # epochs whose state is read after each block
PARAMETERS = {"epochs": {"genesis": TIMING.genesis}}


async def prepared(folder: Path, seats: int, devices: list[SimDevice]) -> LocalChain:
    """A chain before its first epoch, with seats and devices on it."""
    chain = LocalChain(folder, PARAMETERS, timestamp=int(START) - 3_600)
    try:
        await chain.start()
        await chain.seat([(seat_key(i), f"http://127.0.0.1:{9_000 + i}") for i in range(seats)])
        await chain.enrol(PROVIDER, [Key(device.key) for device in devices], "http://devices")
        await chain.chain.close()
    except BaseException:
        await chain.stop()
        raise
    return chain


@dataclass
class AnvilNetwork(SimNetwork):
    """`proxies` misbehave between a validator and the node; `mining` False stops the blocks.

    `on_step` is told of every step of every sender's transactions.
    """

    local: LocalChain | None = None
    proxied: frozenset[int] = frozenset()
    two_endpoints: bool = True
    mining: bool = True
    policy: FeePolicy = field(default_factory=lambda: FeePolicy(stuck_after_s=4))
    look_s: float = 0.5
    poll_s: float = 0.5
    on_step: Callable[[int, SendStep, Intent | None], None] = lambda i, step, intent: None
    states: dict[int, EpochState] = field(default_factory=dict)
    proxies: dict[int, FaultProxy] = field(default_factory=dict)
    senders: dict[int, Sender] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for device in self.devices:
            device.provider = PROVIDER.address
        super().__post_init__()
        self._journals: dict[int, Journal] = {}
        self._tending: dict[int, asyncio.Task] = {}
        self._chains: dict[int, Chain] = {}
        self._readers: dict[int, ContractReader] = {}

    async def connect(self, urls: list[str]) -> Chain:
        """The chain through these addresses, in this network's time."""
        endpoints = [HttpEndpoint(url, transport=PacedTransport()) for url in urls]
        deployment = Deployment.load(self.local.deployment_file)
        pool = EndpointPool(endpoints, deployment.chain_id, monotonic=asyncio.get_running_loop().time)
        await pool.check()
        return Chain(pool, deployment)

    async def open(self) -> None:
        """Connects every seat."""
        self.observer = await self.connect([self.local.rpc])
        self.observed = await ContractReader.open(self.observer)
        self.sim_devices = SimDevices(self.devices, self.seats, self.observed.domain)
        for i in range(self.seats):
            urls = [self.local.rpc]
            if i in self.proxied:
                self.proxies[i] = await FaultProxy(self.local.rpc, seed=self.seed + i, sleep=late).__aenter__()
                urls = [self.proxies[i].url, *(urls if self.two_endpoints else [])]
            self._chains[i] = await self.connect(urls)
            self._readers[i] = await ContractReader.open(self._chains[i])

    def reader(self, i: int) -> ContractReader:
        return self._readers[i]

    def writer(self, i: int, clock: VirtualClock) -> ContractWriter:
        key = seat_key(i)
        self._journals[i] = Journal(self.folder / f"node-{i}" / "journal.sqlite", key.address, 31_337)
        self.senders[i] = Sender(
            self._chains[i],
            key,
            self._journals[i],
            policy=self.policy,
            poll_s=self.poll_s,
            clock=clock.now,
            on_step=lambda step, intent: self.on_step(i, step, intent),
        )
        self._tending[i] = asyncio.create_task(self.senders[i].run())
        return ContractWriter(self.senders[i], timeout_s=TRANSACTION_S)

    async def kill(self, i: int) -> None:
        """Stops a validator where it stands."""
        await super().kill(i)
        self._tending[i].cancel()
        await asyncio.gather(self._tending[i], return_exceptions=True)
        self._journals[i].close()

    async def rpc(self, method: str, *params: object) -> object:
        """Asks anvil itself."""
        return await self.observer.rpc(method, list(params))

    async def mine(self) -> None:
        """A block each second of virtual time, as long as blocks come at all."""
        while True:
            # Between two questions the block may be undone.
            with suppress(ChainError):
                if self.mining:
                    timestamp = int(VirtualClock().now())
                    if timestamp > (await self.observer.head()).timestamp:
                        await self.rpc("evm_mine", {"timestamp": timestamp})
                await self.look()
            await asyncio.sleep(1)

    async def look(self) -> None:
        """Reads the last epochs at the head."""
        head = await self.observer.head()
        current = max(0, (head.timestamp - TIMING.genesis) // TIMING.epoch_length)
        for epoch in range(max(0, current - PHASE_CACHE_SIZE), current + 1):
            self.states[epoch] = await self.observed.epoch(epoch, head)

    def phase(self, epoch: int) -> Phase:
        """Phase at the head."""
        return self.states[epoch].phase if epoch in self.states else Phase.NONE

    async def run(self, epochs: int, during: Callable | None = None) -> None:
        """As SimNetwork's, with the node mining in step."""
        await self.open()
        await self.rpc("evm_setAutomine", False)
        await super().run(epochs, during)
        for proxy in self.proxies.values():
            await proxy.__aexit__()
        for chain in (*self._chains.values(), self.observer):
            await chain.close()

    async def counts(self) -> dict[int, tuple[int, int]]:
        """(mined, mined and waiting) transactions of each seat."""

        async def count(i: int, tag: str) -> int:
            return int(await self.local.call("eth_getTransactionCount", seat_key(i).address, tag), 16)

        return {i: (await count(i, "latest"), await count(i, "pending")) for i in range(self.seats)}


def play(network: AnvilNetwork, epochs: int, during: Callable | None = None) -> AnvilNetwork:
    """Runs a network's epochs to the end, and gives it."""
    run(network.run(epochs, during))
    return network
