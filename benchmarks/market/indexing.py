"""How many blocks of a busy network the indexer takes in a second."""

from __future__ import annotations

import random
import time
from typing import Any

from sqlalchemy import Engine

from assay.market.events.device_events import DeviceEnrolled
from assay.market.events.epoch_events import EpochOpened, EpochSealed
from assay.market.events.lease_events import (
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseStarted,
    LeaseToppedUp,
    OfferTerms,
)
from assay.market.events.record import Address, Event, Place
from assay.market.events.registry import RawLog, log_of
from assay.market.events.stake_events import Deposited
from assay.market.follow.index import LogBatch, MarketIndex, Tip
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak

BLOCK_S = 12  # between blocks of the chain
EVENTS_A_BLOCK = 20
BLOCKS = 500
BATCH = 100
DEVICES = 2_000


def account(n: int) -> Address:
    return Address(to_address(n.to_bytes(20, "big")))


def offer_of(choice: random.Random, provider: Address, at: int) -> OfferTerms:
    """An offer of one device, now and then of a node of eight."""
    chosen = choice.sample(range(DEVICES), choice.choice((1, 1, 1, 8)))
    ids = tuple(sorted(keccak(f"d{n}".encode()) for n in chosen))
    return OfferTerms(provider, account(0), ids, account(9), 10**20, 600, 86_400, at + 900, 0, account(0), 0)


def some_event(choice: random.Random, n: int, block: int) -> Event:
    """What a busy market does: leases, mostly."""
    lease = choice.randrange(1, 5_000)
    provider, renter, at = account(choice.randrange(200)), account(1_000 + choice.randrange(500)), block * BLOCK_S
    kinds: tuple[Event, ...] = (
        LeaseOpened(n, renter, provider, keccak(b"o"), offer_of(choice, provider, at), 10**9),
        LeaseStarted(lease, keccak(b"r"), at, at + 3_600, 10**8),
        LeaseToppedUp(lease, 10**7, at + 7_200),
        LeaseEnded(lease, renter, at, 0),
        LeaseClaimed(lease, provider, 10**6, 10**4),
        Deposited(provider, provider, 10**20),
        EpochOpened(block // 100, 1, keccak(b"b"), keccak(b"s")),
        EpochSealed(block // 100, 0, keccak(b"r"), DEVICES, 0b1111),
    )
    return choice.choice(kinds)


def logs(first: int, last: int, choice: random.Random) -> list[RawLog]:
    """The logs of blocks `first` to `last`."""
    return [
        log_of(
            some_event(choice, block * EVENTS_A_BLOCK + n, block),
            Place(block, n, keccak(block.to_bytes(8, "big")), block * BLOCK_S),
        )
        for block in range(first, last + 1)
        for n in range(EVENTS_A_BLOCK)
    ]


def blocks_per_second(engine: Engine) -> dict[str, Any]:
    """Blocks of twenty events a second, in batches and one by one, and how many times the chain's own pace."""
    index, choice = MarketIndex(engine, max_age=6), random.Random(3)
    enrolled = [
        log_of(
            DeviceEnrolled(keccak(f"d{n}".encode()), account(n % 200), account(5_000 + n), 1, keccak(b"s")),
            Place(1, n, keccak(b"enrolled"), BLOCK_S),
        )
        for n in range(DEVICES)
    ]
    index.apply(LogBatch(enrolled, {}, Tip(1, keccak(b"1"), BLOCK_S)))
    spent = {}
    block = 2
    for name, size, blocks in (("inBatches", BATCH, BLOCKS), ("oneByOne", 1, BLOCKS // 5)):
        took = 0.0
        for first in range(block, block + blocks, size):
            last = first + size - 1
            made = logs(first, last, choice)
            began = time.perf_counter()
            index.apply(LogBatch(made, {}, Tip(last, keccak(last.to_bytes(8, "big")), last * BLOCK_S)))
            took += time.perf_counter() - began
        block += blocks
        rate = blocks / took
        spent[name] = {"blocksPerSecond": round(rate, 1), "timesTheChain": round(rate * BLOCK_S)}
    return {"eventsABlock": EVENTS_A_BLOCK, **spent}
