"""A local network with hostile participants: real daemons as processes, of which one seat, one device, one node, a
renter and strangers do everything that they can think of."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from rich.console import Console

from assay.chain.errors import ChainError
from assay.devnet.demo.reports import read_report
from assay.devnet.network import Network, NetworkPlan, listen, network_folder
from assay.devnet.ports import HOST, free_ports
from assay.devnet.processes import Child
from assay.devnet.progress import Progress
from assay.devnet.providers import set_up, start_provider
from assay.devnet.starting import start_network
from assay.protocol.epochs import Phase
from assay.renter import Renter, RenterSettings, Wanted
from assay.renter.errors import RenterError
from assay.wire import paths
from tests.hostile import device, renter, seat, stranger
from tests.hostile.bounds import HOST_FILES, Watch, disk_mib, listing, make_canary, mounts_below
from tests.hostile.device import HostileDevice
from tests.hostile.node import HostileNode
from tests.hostile.tricks import Actor, Played, drawn_from

SEAT, DEVICE, RENTER, HONEST = "validator-4", "mallory", "mallet", ("north", "south")
BEHIND_A_NODE = ("validator-3", "south")
LEASED = "north"
CHAIN = "anvil"  # no daemon of ours
READY_S, RENT_S, DEPOSIT_MINUTES = 90.0, 150.0, 30


@dataclass
class World:
    """A running network, and who attacks it."""

    network: Network
    seed: int
    folder: Path
    watch: Watch
    node: HostileNode
    device: HostileDevice
    canary: Path
    before: dict[str, tuple[object, ...]] = field(default_factory=dict)
    host: dict[str, tuple[object, ...]] = field(default_factory=dict)
    played: list[Played] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    leases: list[int] = field(default_factory=list)

    # --- what goes on

    async def attack(self, seconds: float) -> None:
        """Everybody at once, for so long."""
        ends = time.monotonic() + seconds
        strangers = [Actor(f"stranger {n}", stranger.TRICKS, self._target, self.seed) for n in range(2)]
        self.device.hostile = True
        self.played += [one.played for one in strangers] + [self.device.played, self.node.played]
        turning = [
            asyncio.create_task(self.node.turns()),
            asyncio.create_task(seat.odd_addresses(self._announce_seat, self.network.endpoints[SEAT], self.seed)),
            asyncio.create_task(self._odd_device_addresses()),
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for one in strangers:
                    group.create_task(one.until(ends))
                group.create_task(self._rent(ends))
                group.create_task(self._watch_over(ends))
        finally:
            for task in turning:
                task.cancel()
            ended = await asyncio.gather(*turning, return_exceptions=True)
            self.node.play(None)
            self.device.hostile = False
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended

    async def _watch_over(self, ends: float) -> None:
        while time.monotonic() < ends:
            self.network.processes.check()
            await asyncio.sleep(1)

    async def _rent(self, ends: float) -> None:
        """The renter takes a device, and does what it likes with it."""
        actor = Actor(RENTER, renter.TRICKS, lambda _: lease, self.seed)
        self.played.append(actor.played)
        options = self.network.options(RENTER)
        given = {
            name.removeprefix("--").replace("-", "_"): value
            for name, value in zip(options[::2], options[1::2], strict=True)
        }
        async with Renter.connect(RenterSettings.load({**given, "rpc": [self.network.url]}, environment={})) as who:
            lease = renter.Lease(await self._leased(who, ends), str(self.canary))
            await actor.until(ends)

    async def _leased(self, who: Renter, ends: float) -> object:
        address = self.network.participants[LEASED].address.lower()
        while time.monotonic() < ends:
            with suppress(RenterError, ChainError):
                found = [one for one in await who.search(Wanted()) if one.provider.lower() == address]
                if found:
                    rate = found[0].rate
                    rented = await who.rent(found[0], rate * DEPOSIT_MINUTES * 60 // 10**18)
                    self.leases.append(rented.lease.lease_id)
                    return await who.session(rented.lease.lease_id)
            await asyncio.sleep(1)
        raise AssertionError(f"{LEASED} could not be leased in time")

    async def _odd_device_addresses(self) -> None:
        draws = drawn_from(self.seed, "device's address")
        while True:
            await asyncio.sleep(draws.uniform(8, 20))
            await self._announce_device(draws.choice(device.ENDPOINTS))
            await asyncio.sleep(draws.uniform(2, 6))
            await self._announce_device(f"http://{HOST}:{self.device.port}")

    async def _announce_seat(self, endpoint: str) -> None:
        function = self.network.ledger.contract("ValidatorSet").functions.setEndpoint(endpoint, bytes(32))
        await asyncio.to_thread(function.transact, {"from": self.network.participants[SEAT].address})

    async def _announce_device(self, endpoint: str) -> None:
        identity = bytes.fromhex(self.devices[-1].removeprefix("0x"))
        function = self.network.ledger.contract("DeviceRegistry").functions.setEndpoint(identity, endpoint, bytes(32))
        await asyncio.to_thread(function.transact, {"from": self.network.participants[DEVICE].address})

    def _target(self, draws: random.Random) -> stranger.Target:
        names = [name for name in self.network.endpoints if name not in (SEAT, DEVICE)]
        name = draws.choice([*names, *(f"{one} ssh" for one in HONEST)])
        if name.endswith(" ssh"):
            return stranger.Target("ssh", self.network.ssh_ports[name.removesuffix(" ssh")], tuple(self.devices))
        kind = name.split("-", 1)[0] if name.startswith(("validator", "market")) else "provider"
        return stranger.Target(
            kind=kind,
            port=int(self.network.endpoints[name].rsplit(":", 1)[1]),
            devices=tuple(self.devices),
            seats=tuple(one.address for role, one in self.network.participants.items() if role.startswith("validator")),
            epoch=self.epoch(),
            leases=(1, 2),
        )

    # --- what must hold

    def epoch(self) -> int:
        """The one that the chain is in."""
        return int(self.network.ledger.contract("EpochOracle").functions.currentEpoch().call())

    def phase(self, epoch: int) -> Phase:
        return Phase(self.network.ledger.fields("EpochOracle", "epochState", epoch)["phase"])

    async def unreported(self, first: int, last: int) -> list[tuple[int, str]]:
        """Those of these epochs that are not reported once they could have been."""
        await asyncio.sleep(max(0.0, self._report_ends(last) - time.time()))
        phases = {epoch: self.phase(epoch) for epoch in range(first, last + 1)}
        return [(epoch, phase.name) for epoch, phase in phases.items() if phase is not Phase.REPORTED]

    def _report_ends(self, epoch: int) -> float:
        oracle = self.network.ledger.contract("EpochOracle").functions
        return float(oracle.epochStart(epoch).call()) + self.network.plan.epochs["reportBy"] + 4

    def unscored(self, first: int, last: int) -> list[tuple[int, str, list[str]]]:
        """(epoch, provider, flags) of honest devices that neither passed nor were leased and up, in
        those that were reported."""
        wrong = []
        reported = [epoch for epoch in range(first, last + 1) if self.phase(epoch) is Phase.REPORTED]
        for epoch in reported:
            found = {one.provider: one for one in read_report(self.network, epoch)}
            for name in HONEST:
                flags = found[name].flags if name in found else []
                leased = name == LEASED and flags == ["leased"] and found[name].uptime_bps > 9_000
                if flags != ["passed"] and not leased:
                    wrong.append((epoch, name, flags))
        return wrong

    async def silent(self) -> list[str]:
        """Daemons that do not answer as ready."""
        wrong = []
        async with httpx2.AsyncClient(timeout=10, trust_env=False, verify=False) as client:
            for name, url in self.network.endpoints.items():
                if name == SEAT:
                    continue
                for path in (paths.LIVEZ, paths.READYZ):
                    try:
                        status = (await client.get(url + path)).status_code
                    except httpx2.HTTPError as error:
                        status = repr(error)
                    if status != 200:
                        wrong.append(f"{name}{path}: {status}")
        return wrong

    def touched(self) -> list[str]:
        """What of the host is not as it was."""
        after = {**listing(self.canary), **listing(*HOST_FILES, deep=False)}
        known = {**self.before, **self.host}
        return [
            f"{place}: {known.get(place)} is {after.get(place)}"
            for place in {*known, *after}
            if known.get(place) != after.get(place)
        ]

    def disks(self) -> dict[str, float]:
        """What each daemon keeps and logs, MiB."""
        workspace = self.network.workspace
        return {
            child.name: disk_mib(*workspace.data.glob(f"{child.name}*"), workspace.log(child.name))
            for child in self.network.processes.children
            if child.name != CHAIN
        }

    def story(self) -> str:
        tricks = self.folder / "seat-tricks.json"
        of_seat = Played("seat")
        if tricks.exists():
            of_seat.tricks.update(json.loads(tricks.read_text()))
        lines = [
            f"seed {self.seed}",
            *map(str, [*self.played, of_seat]),
            self.watch.table(),
            "MiB on disk: " + ", ".join(f"{name} {mib:.1f}" for name, mib in self.disks().items()),
        ]
        return "\n".join(lines)


def _restart(network: Network, name: str, command: list[str]) -> Child:
    """Another program, or other settings, in place of a daemon."""
    network.processes.stop(next(child for child in network.processes.children if child.name == name))
    return network.processes.start(name, command, network.workspace.log(name))


@asynccontextmanager
async def hostile_world(folder: Path, seed: int, epoch_seconds: int) -> AsyncIterator[World]:
    """A network with all daemons ready, before anybody attacks it."""
    plan = NetworkPlan(
        folder / "network",
        providers=HONEST,
        skips_rows=frozenset(),
        operated=frozenset(),
        renters=(RENTER,),
        guests=(DEVICE,),
        epoch_seconds=epoch_seconds,
        genesis_seconds=60,
        runtime="bubblewrap",
    )
    async with AsyncExitStack() as stack:
        # A lease that goes on keeps its files' volume for the provider's next start.
        stack.callback(_unmount, folder)
        workspace, processes = stack.enter_context(network_folder(plan))
        network = await start_network(plan, workspace, processes, Progress(Console(stderr=True)))
        node = await stack.enter_async_context(HostileNode(network.url, seed))
        proxy_port, behind_port, ssh_port = free_ports(3)
        hostile = HostileDevice(proxy_port, f"http://{HOST}:{behind_port}", seed)
        await stack.enter_async_context(hostile)
        for name in BEHIND_A_NODE:
            _restart_behind(network, name, node.url)
        _restart(network, SEAT, [*seat.command(seed, folder), *listen(network, SEAT), *network.options(SEAT)])
        network.endpoints[DEVICE] = f"http://{HOST}:{proxy_port}"
        await set_up(network, DEVICE)
        network.endpoints[DEVICE], network.ssh_ports[DEVICE] = hostile.behind, ssh_port
        start_provider(network, DEVICE, "cpu")
        world = World(network, seed, folder, Watch(processes), node, hostile, make_canary(folder / "canary"))
        world.before, world.host = listing(world.canary), listing(*HOST_FILES, deep=False)
        for name in (*HONEST, DEVICE):
            world.devices.append(await _device_of(network, name))
        watching = asyncio.create_task(world.watch.run())
        stack.callback(watching.cancel)
        deadline = time.monotonic() + READY_S
        while (wrong := await world.silent()) and time.monotonic() < deadline:
            network.processes.check()
            await asyncio.sleep(0.5)
        assert not wrong, wrong
        yield world


def _unmount(folder: Path) -> None:
    for place in mounts_below(folder):
        subprocess.run(["umount", "--lazy", "--", place], check=True)


def _restart_behind(network: Network, name: str, url: str) -> None:
    """The daemon again, with the hostile node before the honest one: the first of two for a provider, of three for a
    validator, whose testimony counts."""
    child = next(child for child in network.processes.children if child.name == name)
    arguments = Path(f"/proc/{child.process.pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    place = arguments.index("--rpc")
    more = ["--rpc", network.url.replace(HOST, "localhost")] if name.startswith("validator") else []
    _restart(network, name, [*arguments[:place], "--rpc", url, *arguments[place:], *more])


async def _device_of(network: Network, name: str) -> str:
    listed = json.loads(await network.assay(name, "provider", "list", "-o", "json", unlocks=False))
    return str(listed["devices"][0]["deviceId"])
