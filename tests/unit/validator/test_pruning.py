"""Openings over a simulated year at all seats of a network: as many as can be demanded, each at some."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from assay.chain.rpc.blocks import Block
from assay.protocol.epochs import EpochState, Phase, Timing
from assay.protocol.keccak import keccak
from assay.protocol.signing import Domain
from assay.protocol.types import Rho
from assay.validator.peers.publication import Publication
from assay.validator.pruning import Pruning
from assay.validator.rules.spare_openings import holders_wanted
from assay.validator.rules.values import Seat
from assay.validator.storage.store import Store, StoredVerdict
from assay.validator.storage.tables import open_database
from assay.wire.epoch_index import EpochIndex

HOUR = 3_600
OPENING = bytes(256)
FINAL = Block(1, bytes(32), bytes(32), 0, 1)
DOMAIN = Domain(1, "0x" + "11" * 20)


def rho_of(epoch: int) -> Rho:
    return Rho(keccak(b"rho%d" % epoch))


class Clock:
    at = 0.0

    def now(self) -> float:
        return self.at


@dataclass
class Reader:
    timing: Timing
    claim_delay: int
    accounts: list[str]

    async def epoch(self, epoch: int, at: Block) -> EpochState:
        return EpochState(epoch, phase=Phase.REPORTED, set_id=1, rho=rho_of(epoch))

    async def seats(self, set_id: int, at: Block) -> tuple[Seat, ...]:
        return tuple(Seat(account, account) for account in self.accounts)


class Follower:
    final = FINAL


class Network:
    """Seats with a store each, which see what the others publish."""

    def __init__(self, folder, seats: int, timing: Timing, claim_delay: int, keep: int | None = None) -> None:
        self.accounts = ["0x" + f"{seat + 1:040x}" for seat in range(seats)]
        self.clock, self.timing = Clock(), timing
        self.stores = [Store(open_database(folder / f"{seat}.sqlite"), self.clock.now) for seat in range(seats)]
        self.publications = [Publication(store, DOMAIN) for store in self.stores]
        reader = Reader(timing, claim_delay, self.accounts)
        self.prunings = [
            Pruning(account, reader, Follower(), store, self, self.clock, keep)  # type: ignore[arg-type]
            for account, store in zip(self.accounts, self.stores, strict=True)
        ]

    async def index(self, account: str, epoch: int) -> EpochIndex | None:
        told = self.publications[self.accounts.index(account)].epoch(epoch)
        return None if told is None else EpochIndex.parse(json.dumps(told).encode())

    def live(self, epoch: int, devices: int, wrong: int) -> None:
        """An epoch in which every seat has checked every device; so many of them showed what is wrong."""
        self.clock.at = self.timing.genesis + epoch * self.timing.epoch_length
        for store in self.stores:
            store.update_epoch(epoch, outcome="reported")
            for number in range(devices):
                outcome = "bad" if number < wrong else "valid"
                body = b"%d of %d" % (number, epoch) + OPENING
                kept = store.put_content(epoch, "opening", body)
                store.put_verdict(epoch, rho_of(epoch), StoredVerdict(keccak(b"%d" % number), outcome, "", kept))

    async def prune(self) -> list[int]:
        """Openings held at each seat after every one has pruned."""
        for pruning in self.prunings:
            await pruning.once()
        return [pruning.held for pruning in self.prunings]


async def year(network: Network, epochs: int, devices: int, wrong: int = 1) -> list[int]:
    """Openings at all seats together after each epoch."""
    held = []
    for epoch in range(epochs):
        network.live(epoch, devices, wrong)
        held.append(sum(await network.prune()))
    return held


@pytest.mark.slow
@pytest.mark.parametrize("days", [40, pytest.param(366, marks=pytest.mark.deep)])
def test_openings__over_a_simulated_year_of_days__are_flat_and_each_of_the_older_ones_at_two_of_four(tmp_path, days):
    devices, window, claimable = 3, 7, 3
    timing = Timing(0, 24 * HOUR, HOUR, 2 * HOUR, 3 * HOUR, 36 * HOUR, 2, window * 24 * HOUR)
    network = Network(tmp_path, 4, timing, 12 * HOUR)
    held = asyncio.run(year(network, days, devices))
    # The right ones of the older epochs at two of four, all else at all.
    older, newer = window + 2 - claimable, claimable + 1
    flat = 4 * devices * newer + older * (4 + 2 * (devices - 1))
    assert set(held[window + 3 :]) == {flat}
    assert flat < 4 * devices * (window + 3)
    stored = {store.disk_bytes() for store in network.stores}
    assert max(stored) < 1.5 * min(stored) < 400_000


def test_openings__where_an_operator_wishes_to_keep_all__are_kept(tmp_path):
    timing = Timing(0, 24 * HOUR, HOUR, 2 * HOUR, 3 * HOUR, 36 * HOUR, 2, 7 * 24 * HOUR)
    held = asyncio.run(year(Network(tmp_path, 4, timing, 12 * HOUR, keep=9), 20, 2))
    assert set(held[10:]) == {4 * 2 * 10}


@pytest.mark.deep
@pytest.mark.parametrize("seats", [4, 10])
def test_openings__hourly_for_two_proof_windows__are_as_many_as_the_documentation_says(tmp_path, seats):
    """The figures of docs/why/security.md: measured in openings a device, each of 4.23 MiB."""
    devices, timing = 4, Timing(0, HOUR, 180, 1_980, 2_340, 5_400, 64, 7 * 24 * HOUR)
    held = asyncio.run(year(Network(tmp_path, seats, timing, 24 * HOUR), 350, devices, wrong=0))
    assert len(set(held[180:])) == 1
    print(f"\n{seats} seats: {held[-1] / seats / devices:.1f} openings a device at each")
    assert held[-1] / seats / devices == pytest.approx(28 + 143 * holders_wanted(seats) / seats)
