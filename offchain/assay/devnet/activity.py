"""What keeps a local network's market busy: renters who come and go, prices that move, now and then a cheat."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from assay.devnet.demo.tables import short
from assay.devnet.errors import DevnetError, TookTooLong
from assay.devnet.network import Network
from assay.devnet.ports import HOST, free_ports
from assay.devnet.progress import Progress
from assay.devnet.providers import (
    CHEATING,
    MIN_DURATION,
    PRICE_PER_HOUR,
    enrol,
    price_node,
    start_provider,
)
from assay.devnet.waiting import until
from assay.protocol.hexadecimal import to_hex

JOB = ["--", "python3", "-c", "print(sum(i * i for i in range(2_000_000)))"]
STAY_SECONDS = (20, 60)  # how long a renter keeps a device
PAUSE_SECONDS = (20, 50)
REPRICE_SECONDS = 45
CHEAT_SECONDS = 150  # from the end of one cheat's story to the beginning of the next
LOOK_SECONDS, PASS_LOOKS = 4.0, 30
SLASH_PATIENCE = 120.0


class Activity:
    """Acts through the commands that anyone would type. `random_` decides who does what, and when."""

    def __init__(self, network: Network, progress: Progress, random_: random.Random) -> None:
        self._network = network
        self._progress = progress
        self._random = random_

    async def run(self, renters: list[str], providers: list[str], cheat: str) -> None:
        """Until cancelled. Raises ChildFailed when a daemon of the network ends."""
        async with asyncio.TaskGroup() as group:
            for name in renters[:-1]:
                group.create_task(self._again(lambda name=name: self._rent(name), PAUSE_SECONDS))  # type: ignore[misc]
            group.create_task(self._again(lambda: self._reprice(providers), (REPRICE_SECONDS, REPRICE_SECONDS)))
            stories = count(2)
            group.create_task(
                self._again(lambda: self._cheat(cheat, next(stories), renters[-1]), (CHEAT_SECONDS, CHEAT_SECONDS))
            )

    async def _again(self, act: Callable[[], Awaitable[None]], pause: tuple[int, int]) -> None:
        """Forever; what fails is told, for a device that somebody else took first is a market's daily bread."""
        while True:
            await asyncio.sleep(self._random.uniform(*pause))
            try:
                await act()
            except DevnetError as error:
                self._progress.done(f"not this time: {str(error).splitlines()[0]}")

    async def _renter(self, name: str, *arguments: str, after: tuple[str, ...] = ()) -> Any:
        return json.loads(await self._network.assay(name, *arguments, "-o", "json", after=after))

    async def _on_offer(self) -> list[dict[str, Any]]:
        answer = json.loads(await self._network.assay("renter", "search", "-o", "json", reads_only=True))
        found: list[dict[str, Any]] = answer["devices"]
        return found

    async def _rent(self, name: str) -> None:
        """Somebody rents a device or a node, runs a job, stays a while, leaves and takes the rest of the deposit."""
        found = await self._on_offer()
        if not found:
            return
        listing = self._random.choice(found)
        device, devices = listing["deviceId"], str(listing["gpus"])
        rent = ("rent", device, "--gpus", devices, "--duration", "5m", "--yes")
        lease = str((await self._renter(name, *rent))["leaseId"])
        more = "" if devices == "1" else f" and {int(devices) - 1} more"
        self._progress.done(f"{name} rents {short(device)}{more}: lease {lease}")
        await self._renter(name, "run", lease, after=tuple(JOB))
        await asyncio.sleep(self._random.uniform(*STAY_SECONDS))
        await self._renter(name, "end", lease, "--yes")
        self._progress.done(f"{name} ends lease {lease} and has the rest of the deposit back")

    async def _reprice(self, providers: list[str]) -> None:
        """A provider changes a price: no transaction, the next offer has it."""
        name = self._random.choice(providers)
        listed = json.loads(await self._network.assay(name, "provider", "list", "-o", "json", unlocks=False))
        devices = [one["deviceId"] for one in listed["devices"]]
        price = f"{float(PRICE_PER_HOUR[name]) * self._random.uniform(0.8, 1.25):.2f}"
        if name in self._network.plan.operated:
            await price_node(self._network, name, price, devices)
        else:
            terms = (devices[0], price, "--token", self._network.dollars, "--min-duration", MIN_DURATION)
            await self._network.assay(name, "provider", "price", *terms, unlocks=False)
        self._progress.done(f"{name} asks {price} an hour for {' and '.join(map(short, devices))}")

    async def _cheat(self, name: str, number: int, renter: str) -> None:
        """A device passes, is rented, then skips rows: slashed by a proof, and the renter takes everything back."""
        data = f"{name}-{number}"
        self._network.endpoints[data] = f"http://{HOST}:{free_ports(1)[0]}"
        # One daemon an account on a host: that of the story before answers for a slashed device, which owes nothing.
        await asyncio.to_thread(self._network.processes.stop, *self._network.processes.named(name))
        device = await enrol(self._network, name, data=data)
        self._progress.done(f"{name} enrols {short(device)}, which works honestly at first")
        daemon = start_provider(self._network, name, self._network.plan.engine, data)
        try:
            await self._until_on_offer(device)
            lease = str(
                (await self._renter(renter, "rent", device, "--open-only", "--duration", "10m", "--yes"))["leaseId"]
            )
            self._progress.done(f"{renter} opens lease {lease} on it; the escrow holds the deposit")
            await asyncio.to_thread(self._network.processes.stop, daemon)
            daemon = start_provider(self._network, name, CHEATING, data)
            self._progress.done(f"{name} begins to skip rows")
            slash = await until("the cheat's slash", SLASH_PATIENCE, self._network, lambda: self._slash_of(device))
            self._progress.done(f"{short(device)} is slashed by a proof: {self._page('transactions', slash)}")
            await self._renter(renter, "end", lease, "--yes")
            self._progress.done(f"{renter} has the whole deposit back: {self._page('leases', lease)}")
        finally:
            await asyncio.to_thread(self._network.processes.stop, daemon)

    async def _until_on_offer(self, device: str) -> None:
        for _ in range(PASS_LOOKS):
            if device in {one["deviceId"] for one in await self._on_offer()}:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise TookTooLong("the new device's first pass", PASS_LOOKS * LOOK_SECONDS)

    def _slash_of(self, device: str) -> str | None:
        for log in self._network.ledger.events("FraudProofs", "FaultProven"):
            if to_hex(log["args"]["subject"]) == device:
                return to_hex(log["transactionHash"])
        return None

    def _page(self, kind: str, name: str) -> str:
        return f"{self._network.endpoints['market']}/{kind}/{name}"
