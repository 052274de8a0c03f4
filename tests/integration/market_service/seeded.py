"""A market over an index of a small invented network, served on a real port: what pages are looked at with."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import uvicorn

from assay.market.api.app import create_app
from assay.market.api.context import Context
from assay.market.api.status import Status
from assay.market.events.device_events import DeviceEndpoint, DeviceEnrolled, DeviceRetired, ProfileAdded
from assay.market.events.epoch_events import EpochDrawn, EpochOpened, EpochReported, EpochSealed, EpochVoided
from assay.market.events.fault_events import (
    DemandAnswered,
    DemandMade,
    FaultProven,
    WrongElementShown,
)
from assay.market.events.lease_events import (
    DowntimeRefunded,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
)
from assay.market.events.record import Address, Event, Place
from assay.market.events.registry import log_of
from assay.market.events.seat_events import SeatEndpoint, SeatJoined, SetChanged
from assay.market.events.stake_events import Deposited, Released, Reserved, Slashed
from assay.market.follow.content_changes import batch_changes, device_changes, reward_changes
from assay.market.follow.index import Batch, Index, Tip
from assay.market.follow.offer_follower import OfferFollower
from assay.market.queries.search import SearchTable
from assay.market.sources.observation_batches import SeatBatch
from assay.market.sources.offers import SignedOffer, specification
from assay.market.store.database import open_database
from assay.market.store.rows import WorkingSet
from assay.proof.fraud import WrongElement
from assay.protocol.hexadecimal import to_address
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.messages import Offer
from assay.protocol.seeds import epoch_seed
from assay.protocol.signing import Domain

from .cheated import CHAIN_ID, PROFILE, call_of, wrong_element

BLOCK_S, EPOCH_BLOCKS, EPOCHS = 12, 30, 24
MODELS = (
    ("H100 SXM", 81_920, 620_000, 2.40),
    ("A100 80GB", 81_920, 240_000, 1.10),
    ("RTX 4090", 24_576, 330_000, 0.45),
    ("L40S", 49_152, 210_000, 0.79),
    ("RTX 3090", 24_576, 110_000, 0.22),
)
REGIONS = ("eu-north", "us-east", "ap-south")
NOBODY = "0x" + "00" * 20


def h(text: str) -> bytes:
    return keccak(text.encode())


def account(name: str) -> Address:
    return Address(to_address(h(name)[:20]))


TOKEN = account("test dollar")
VALIDATORS = [account(f"validator {n}") for n in range(7)]
PROVIDERS = [account(f"provider {n}") for n in range(4)]
RENTER, WATCHER = account("renter"), account("watcher")
DEVICES = sorted(h(f"device {n}") for n in range(28))
CHEAT = DEVICES[5]
ORACLE, PROOFS = account("EpochOracle"), account("FraudProofs")
CHEATED, PROVEN_AT = 18, 6 + 19 * EPOCH_BLOCKS
MEMORY_PROVEN = 128


def shown() -> tuple[bytes, WrongElement]:
    """What the cheat committed to, and the element that convicted it."""
    return wrong_element(ORACLE, CHEATED, h(f"b {CHEATED}"), CHEAT)


def document(n: int) -> dict[str, Any]:
    model, mib, _, _ = MODELS[n % len(MODELS)]
    return {"model": model, "memoryMiB": mib, "region": REGIONS[n % 3]}


def profile_of(n: int) -> int:
    return PROFILE.id if DEVICES[n] == CHEAT else 1 + n % 2


def leaves_of(epoch: int, choice: random.Random) -> list[DeviceLeaf]:
    found = []
    for n, device in enumerate(DEVICES):
        if device == CHEAT and epoch > CHEATED:
            continue
        flag = 8 if device == CHEAT and epoch == CHEATED else 2 if n in (2, 9) and epoch > 19 else 1
        if choice.random() < 0.03 * (n % 4):
            flag = 4
        score = int(MODELS[n % len(MODELS)][2] * choice.uniform(0.94, 1.03)) if flag == 1 else 0
        # The probe fills what is free; one provider's devices have not been probed.
        mib = document(n)["memoryMiB"] - 1_400 if flag == 1 and n % 4 != 3 else 0
        uptime = 10_000 if flag in (1, 2) else choice.randint(8_000, 9_900)
        found.append(DeviceLeaf(epoch, device, n, profile_of(n), score, mib, uptime, flag, h(f"r {epoch} {n}")))
    return found


def history(genesis: int) -> tuple[list[tuple[int, Event]], dict[int, tuple[list[DeviceLeaf], list[RewardLeaf]]]]:
    """(block, event) pairs of the network's life, and what each report holds."""
    choice = random.Random(7)
    shape = (4096, 4096, 16_384, 16, 256, 256, 4, 9_000, 10, 1_000_000, 2_500 * 10**18)
    events: list[tuple[int, Event]] = [(1, ProfileAdded(1, shape)), (1, ProfileAdded(2, (1024, *shape[1:])))]
    small = (PROFILE.M, PROFILE.N, PROFILE.K, PROFILE.T, PROFILE.chunk, PROFILE.k, PROFILE.W, *shape[7:])
    events.append((1, ProfileAdded(PROFILE.id, small)))
    for validator in VALIDATORS:
        events += [
            (1, Deposited(validator, validator, 250_000 * 10**18)),
            (1, Reserved(validator, 250_000 * 10**18, 250_000 * 10**18)),
            (2, SeatJoined(validator, account(f"s {validator}"), 0)),
            (2, SeatEndpoint(validator, f"https://{validator[2:8].lower()}.example:9443", bytes(32))),
        ]
    events.append((2, SetChanged(1, 0, len(VALIDATORS))))
    for n, device in enumerate(DEVICES):
        provider = PROVIDERS[n % 4]
        events += [
            (3, Deposited(provider, provider, 2_600 * 10**18)),
            (3, Reserved(provider, 2_500 * 10**18, (n // 4 + 1) * 2_500 * 10**18)),
            (
                4,
                DeviceEnrolled(
                    device, provider, account(f"k {n}"), profile_of(n), specification(document(n)).spec_hash
                ),
            ),
            (4, DeviceEndpoint(device, f"https://gpu{n % 4}.example:8443", bytes(32))),
        ]
    reports: dict[int, tuple[list[DeviceLeaf], list[RewardLeaf]]] = {}
    everyone = (1 << len(VALIDATORS)) - 1
    for epoch in range(EPOCHS):
        block = 6 + epoch * EPOCH_BLOCKS
        signers = everyone & ~(1 << choice.randrange(14))
        beacon = h(f"b {epoch}")
        events.append((block, EpochOpened(epoch, 1, beacon, epoch_seed(CHAIN_ID, ORACLE, epoch, beacon))))
        if epoch == 11:
            events.append((block + 20, EpochVoided(epoch, 1)))
            continue
        leaves = leaves_of(epoch, choice)
        events.append((block + 9, EpochSealed(epoch, 0, h(f"seal {epoch}"), len(leaves), everyone)))
        if epoch < EPOCHS - 1:
            rewards = [RewardLeaf(a, (epoch + 1) * 10**18 * (37 + n)) for n, a in enumerate((*VALIDATORS, *PROVIDERS))]
            reports[epoch] = leaves, rewards
            total = sum(r.cumulative for r in rewards)
            roots = device_tree(leaves).root, reward_tree(rewards).root
            events += [
                (block + 12, EpochDrawn(epoch, h(f"rho {epoch}"))),
                (block + 25, EpochReported(epoch, 0, *roots, total, h(f"d {epoch}"), signers)),
            ]
    _, found = shown()
    block = PROVEN_AT
    events += [
        (block, Slashed(PROVIDERS[5 % 4], 2_500 * 10**18, 250 * 10**18, WATCHER)),
        (block, Released(PROVIDERS[5 % 4], 2_500 * 10**18, 6 * 2_500 * 10**18)),
        (block, DeviceRetired(CHEAT, 3)),
        (block, FaultProven(1, CHEAT, CHEATED, PROVIDERS[5 % 4], 2_500 * 10**18, WATCHER)),
        (block, WrongElementShown(CHEAT, CHEATED, found.round.t, found.i, found.j, found.claimed, found.correct)),
    ]
    late = genesis + (block + 60) * BLOCK_S
    events += [
        (block + 30, DemandMade(1, DEVICES[9], 19, True, 11, 2_048, late, WATCHER)),
        (block + 34, DemandAnswered(1, PROVIDERS[9 % 4])),
        (block + 90, DemandMade(2, DEVICES[1], 21, False, 3, 0, late + 90 * BLOCK_S, WATCHER)),
    ]
    rate = int(2.4 * 10**6 / 3600 * 10**18)
    for lease, (n, start, hours) in enumerate(((2, 500, 6), (9, 610, 3), (4, 300, 1)), 1):
        provider, at = PROVIDERS[n % 4], genesis + start * BLOCK_S
        seconds = hours * 3600
        topped_up = 0
        if n == 2:
            # Another 40 minutes from the newest block on, of which half an hour was added.
            seconds, topped_up = (6 + EPOCHS * EPOCH_BLOCKS - start) * BLOCK_S + 600, 1_800
        deposit = rate * seconds // 10**18
        events += [
            (start - 5, LeaseOpened(lease, RENTER, provider, DEVICES[n], TOKEN, rate, deposit)),
            (start, LeaseStarted(lease, h("hand"), at, at + seconds, deposit // 10)),
        ]
        if topped_up:
            added = rate * topped_up // 10**18
            events.append((start + 90, LeaseToppedUp(lease, added, at + seconds + topped_up)))
        if n == 4:
            streamed, down = rate * 1_800 // 10**18, rate * 72 // 10**18
            events += [
                (start + 100, DowntimeRefunded(lease, 12, down)),
                (start + 150, LeaseEnded(lease, RENTER, at + 1_800, 0)),
                (start + 160, LeaseClaimed(lease, provider, (streamed - down) * 98 // 100, (streamed - down) // 50)),
                (start + 161, LeaseRefunded(lease, RENTER, deposit - streamed + down)),
            ]
    last = 6 + EPOCHS * EPOCH_BLOCKS
    events.append((last - 2, LeaseOpened(4, RENTER, PROVIDERS[6 % 4], DEVICES[6], TOKEN, rate, 4_800_000)))
    return events, reports


def fill(index: Index, now: int) -> None:
    """Writes the network into an index whose newest block is a few seconds old."""
    last = 6 + EPOCHS * EPOCH_BLOCKS
    genesis = now - last * BLOCK_S
    events, reports = history(genesis)
    counts: dict[int, int] = {}
    logs = []
    for block, event in sorted(events, key=lambda pair: pair[0]):
        counts[block] = counts.get(block, -1) + 1
        logs.append(log_of(event, Place(block, counts[block], h(f"tx {block}"), genesis + block * BLOCK_S)))
    seats = {1: [(v, account(f"s {v}")) for v in VALIDATORS]}
    calls = {h(f"tx {PROVEN_AT}"): (PROOFS, b"a call, which only the context's decoder reads")}
    index.apply(Batch(logs, seats, Tip(last, h("tip"), now), calls))
    for epoch, (leaves, rewards) in reports.items():
        with index.engine.connect() as connection:
            rows = WorkingSet(connection)
            changes = device_changes(epoch, leaves, lambda d, r=rows: r.row("devices", (d,)))  # type: ignore[misc]
        said = batch_changes(epoch, testimony(epoch, leaves), {leaf.device_id: leaf.flags for leaf in leaves}, True)
        fresh = [(c.table, c.key) for c in said if c.table != "epochs"]
        index.apply_changes([*changes, *reward_changes(epoch, rewards), *said], fresh)
    take_offers(index, now)


def testimony(epoch: int, leaves: list[DeviceLeaf]) -> list[SeatBatch]:
    """What each seat saw: one of them, in two epochs, a device pass that the report failed. Only the newest epochs'."""
    if epoch < EPOCHS - 5:
        return []
    found = []
    for n, seat in enumerate(VALIDATORS):
        lines = []
        for place, leaf in enumerate(leaves):
            flags = 1 if n == 3 and epoch % 2 and leaf.flags == 4 else leaf.flags
            flags |= MEMORY_PROVEN if leaf.memory_mib else 0
            elapsed = 0 if flags == 2 else 4_800_000 + 90_000 * ((7 * place + 3 * n + epoch) % 11)
            lines.append(ObservationLeaf(leaf.device_id, leaf.result_root, elapsed, flags, leaf.uptime_bps))
        found.append(SeatBatch(seat, tuple(lines), h(f"batch {epoch} {n}"), bytes(64), h(f"digest {epoch} {n}")))
    return found


def take_offers(index: Index, now: int) -> None:
    follower = OfferFollower(index, None, Domain(31337, account("escrow")))  # type: ignore[arg-type]
    for p, provider in enumerate(PROVIDERS):
        offers = []
        for n, device in enumerate(DEVICES):
            if n % 4 != p or n == 13:
                continue
            rate = int(MODELS[n % len(MODELS)][3] * (1 + n / 90) * 10**6 / 3600 * 10**18)
            offer = Offer(provider, device, TOKEN, rate, 600, 30 * 86_400, now + 86_400, 0, NOBODY)
            offers.append(SignedOffer(offer, h(f"offer {n}"), bytes(64)))
        follower.take(provider, offers, [specification(document(n)) for n in range(15)])


def seeded_context(database: str, now: int) -> Context:
    """The context over a seeded index."""
    engine = open_database(database)
    index = Index(engine, max_age=6)
    fill(index, now)
    status = Status("devnet", CHAIN_ID)
    status.move(index.tip(), index.tip().block)  # type: ignore[union-attr]
    names = ("EpochOracle", "LeaseEscrow", "DeviceRegistry", "NetworkToken", "FraudProofs")
    contracts = {name: account(name) for name in names}
    root, found = shown()
    links = {
        "rpc": "http://127.0.0.1:8545",
        "contracts": contracts,
        "tokens": {TOKEN: {"symbol": "tUSD", "decimals": 6}},
        "genesis": 0,
        "decode": lambda target, data: ("proveWrongElement", call_of(CHEATED, CHEAT, root, found)),
        "explain": lambda data: "NotToday()",
        "encode": lambda contract, function, arguments: (contracts.get(contract, contract), h(function)),
    }
    return Context(engine, status, SearchTable(engine), links=links)


@cache
def shared_context() -> Context:
    """One for all tests that only read."""
    return seeded_context("sqlite://", int(time.time()) - 3)


@contextmanager
def served(context: Context) -> Iterator[str]:
    """The address of the market, served from a thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app(context, rate=1e6, burst=1 << 20)
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the market did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
