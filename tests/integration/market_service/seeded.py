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
from assay.market.api.context import Context, ContractTimes, Links, Token
from assay.market.api.status import Status
from assay.market.events.demand_events import DemandAnswered, DemandMade
from assay.market.events.device_events import (
    DeviceEndpoint,
    DeviceEnrolled,
    DeviceRetired,
    OperatorSet,
    PayoutSet,
    ProfileAdded,
)
from assay.market.events.epoch_events import EpochDrawn, EpochOpened, EpochReported, EpochSealed, EpochVoided
from assay.market.events.fault_events import FaultProven, WrongElementShown
from assay.market.events.lease_events import (
    BondForfeited,
    DeviceOfLeaseSlashed,
    DowntimeRefunded,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
    NoticeGiven,
    OfferTerms,
)
from assay.market.events.record import Address, Event, Place
from assay.market.events.registry import log_of
from assay.market.events.seat_events import (
    CheckedIn,
    SeatEndpoint,
    SeatEvicted,
    SeatJoined,
    SeatTaken,
    SetChanged,
)
from assay.market.events.stake_events import Deposited, Released, Reserved, SlashHeld
from assay.market.events.token_events import MinterHandedOver
from assay.market.events.treasury_events import BondCreditFilled, BondCreditUsed, BondLimitSet, TokenListed
from assay.market.follow.content_changes import batch_changes, device_changes, reward_changes
from assay.market.follow.index import LogBatch, MarketIndex, Tip
from assay.market.follow.offer_follower import OfferFollower
from assay.market.projection.lease_money import EscrowTerms
from assay.market.projection.listings import listing_id
from assay.market.queries.search import SearchTable
from assay.market.sources.observation_batches import SeatBatch
from assay.market.sources.offers import specification
from assay.market.store.database import open_database
from assay.market.store.rows import WorkingSet
from assay.proof.fraud import WrongElement
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_address
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, device_tree, reward_tree
from assay.protocol.messages import Offer
from assay.protocol.rates import cost
from assay.protocol.seeds import epoch_seed
from assay.protocol.signing import Domain
from assay.wire.leases import SignedOffer

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
NOBODY = Address(ZERO_ADDRESS)


def h(text: str) -> bytes:
    return keccak(text.encode())


def account(name: str) -> Address:
    return Address(to_address(h(name)[:20]))


TOKEN = account("test dollar")
VALIDATORS = [account(f"validator {n}") for n in range(7)]
PROVIDERS = [account(f"provider {n}") for n in range(4)]
OPERATORS = [account(f"operator {n}") for n in range(2)]
RENTER, WATCHER = account("renter"), account("watcher")
DEVICES = sorted(h(f"device {n}") for n in range(28))
CHEAT = DEVICES[5]
# What providers offer together: two H100, six L40S, and three of a kind each.
NODES = ((0, 20), (6, 10, 14, 18, 22, 26), (8, 16, 24))
NODE_IDS = [listing_id(tuple(DEVICES[n] for n in sorted(node))) for node in NODES]
ORACLE, PROOFS = account("EpochOracle"), account("FraudProofs")
TERMS = EscrowTerms(holdback=4 * 360, max_downtime=120, forfeit_hold=14 * 86_400)
HOUR_S = 3_600
CHEATED, PROVEN_AT = 18, 6 + 19 * EPOCH_BLOCKS
MEMORY_PROVEN = 128


def shown() -> tuple[bytes, WrongElement]:
    """What the cheat committed to, and the element that convicted it."""
    return wrong_element(ORACLE, CHEATED, h(f"b {CHEATED}"), CHEAT)


def model_of(n: int) -> tuple[str, int, int, float]:
    """A device's model, memory, score and price."""
    return MODELS[3] if n in NODES[1] else MODELS[n % len(MODELS)]


def document(n: int) -> dict[str, Any]:
    model, mib, _, _ = model_of(n)
    return {"model": model, "memoryMiB": mib, "region": REGIONS[0 if n in NODES[1] else n % 3],
            "host": {"cores": 4 + 4 * (n % 3), "memoryMiB": 65_536, "diskMiB": 512_000}}  # fmt: skip


def profile_of(n: int) -> int:
    return PROFILE.id if DEVICES[n] == CHEAT else 1 + n % 2


def leaves_of(epoch: int, choice: random.Random) -> list[DeviceLeaf]:
    found = []
    for n, device in enumerate(DEVICES):
        if device == CHEAT and epoch > CHEATED:
            continue
        flag = 8 if device == CHEAT and epoch == CHEATED else 2 if n in (2, 9, *NODES[2]) and epoch > 19 else 1
        if choice.random() < 0.03 * (n % 4) and not (n in (*NODES[1], *NODES[2]) and epoch > 19):
            flag = 4
        score = int(model_of(n)[2] * choice.uniform(0.94, 1.03)) if flag == 1 else 0
        # The probe fills what is free; one provider's devices have not been probed.
        mib = document(n)["memoryMiB"] - 1_400 if flag == 1 and n % 4 != 3 else 0
        uptime = 10_000 if flag in (1, 2) else choice.randint(8_000, 9_900)
        if n == 24 and epoch == 22:
            uptime = 8_500  # of a leased node one is down, and nobody has submitted it yet
        found.append(DeviceLeaf(epoch, device, n, profile_of(n), score, mib, uptime, flag, h(f"r {epoch} {n}")))
    return found


def history(genesis: int) -> tuple[list[tuple[int, Event]], dict[int, tuple[list[DeviceLeaf], list[RewardLeaf]]]]:
    """(block, event) pairs of the network's life, and what each report holds."""
    choice = random.Random(7)
    shape = (4096, 4096, 16_384, 16, 256, 256, 4, 9_000, 10, 1_000_000, 2_500 * 10**18)
    events: list[tuple[int, Event]] = [
        (1, TokenListed(TOKEN, 10_000)),
        (1, ProfileAdded(1, shape)),
        (1, ProfileAdded(2, (1024, *shape[1:]))),
        (2, MinterHandedOver(account("version 1"), account("version 2"), 4)),
    ]
    small = (PROFILE.M, PROFILE.N, PROFILE.K, PROFILE.T, PROFILE.chunk, PROFILE.k, PROFILE.W, *shape[7:])
    events.append((1, ProfileAdded(PROFILE.id, small)))
    for validator in VALIDATORS:
        events += [
            (1, Deposited(validator, validator, 250_000 * 10**18)),
            (1, Reserved(validator, 250_000 * 10**18, 250_000 * 10**18)),
            (2, SeatJoined(validator, account(f"s {validator}"), 0)),
            (2, SeatTaken(validator, account(f"s {validator}"), 0)),
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
            events += [(block + 21, CheckedIn(validator, epoch)) for validator in VALIDATORS[:6]]
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
        (block, Released(PROVIDERS[5 % 4], 2_500 * 10**18, 6 * 2_500 * 10**18)),
        (block, DeviceRetired(CHEAT, 3)),
        (block, SlashHeld(1, PROVIDERS[5 % 4], 2_500 * 10**18, 250 * 10**18, WATCHER, genesis + 30 * 86_400)),
        (block, FaultProven(1, CHEAT, CHEATED, PROVIDERS[5 % 4], 2_500 * 10**18, 1, WATCHER)),
        (block, WrongElementShown(CHEAT, CHEATED, found.round.t, found.i, found.j, found.claimed, found.correct)),
    ]
    late = genesis + (block + 60) * BLOCK_S
    bond = 12 * 10**18
    events += [
        (block + 30, DemandMade(h("demand 1"), DEVICES[9], 19, True, 41, 11, 2_048, late, WATCHER, bond, bond // 2)),
        (block + 34, DemandAnswered(h("demand 1"), PROVIDERS[9 % 4], bond // 2, bond // 10)),
        (
            block + 90,
            DemandMade(h("demand 2"), DEVICES[1], 21, False, 3, 3, 0, late + 90 * BLOCK_S, WATCHER, bond, bond // 2),
        ),
        (block + 95, SeatEvicted(VALIDATORS[6], 13, 26)),
    ]
    return [*events, *authority(genesis), *leases(genesis)], reports


def authority(genesis: int) -> list[tuple[int, Event]]:
    """Whom the first two providers let act for them, and what they put aside."""
    always = genesis + 3 * 365 * 86_400
    return [
        (5, OperatorSet(PROVIDERS[0], OPERATORS[0], 31, always)),
        (5, OperatorSet(PROVIDERS[1], OPERATORS[0], 1 | 2, always)),
        (5, OperatorSet(PROVIDERS[1], OPERATORS[1], 8, genesis + 600)),
        (5, PayoutSet(PROVIDERS[1], account("vault"))),
        (5, BondLimitSet(PROVIDERS[1], TOKEN, 2_000 * 10**6)),
        (5, BondCreditFilled(PROVIDERS[1], TOKEN, 3_000 * 10**6, 3_000 * 10**6)),
        (700, BondCreditUsed(PROVIDERS[1], TOKEN, 2, 750 * 10**6, 2_250 * 10**6)),
    ]


def opened(lease: int, devices: tuple[int, ...], rate: int, deposit: int, **terms: Any) -> LeaseOpened:
    """A lease of these devices on an offer of ten minutes at least."""
    first = devices[0]
    ids = tuple(DEVICES[n] for n in sorted(devices))
    offer = OfferTerms(
        PROVIDERS[first % 4], terms.get("operator", NOBODY), ids, TOKEN, rate, terms.get("minimum", 600), 30 * 86_400,
        1 << 39, 0, NOBODY, terms.get("notice", 0),
    )  # fmt: skip
    return LeaseOpened(lease, RENTER, PROVIDERS[first % 4], h(f"offer of lease {lease}"), offer, deposit)


def leases(genesis: int) -> list[tuple[int, Event]]:
    """A running one, one with a notice, a settled one, a pending node, one of a slashed device, one left early."""
    rate = int(2.4 * 10**6 / HOUR_S * 10**18)
    last = 6 + EPOCHS * EPOCH_BLOCKS
    bond = cost(rate, 600)

    def at(block: int) -> int:
        return genesis + block * BLOCK_S

    # Another 40 minutes from the newest block on, of which half an hour was added.
    running = (last - 500) * BLOCK_S + 600
    streamed, down = rate * 1_800 // 10**18, rate * 72 // 10**18
    deposit = cost(rate, HOUR_S)
    events: list[tuple[int, Event]] = [
        (495, opened(1, (2,), rate, cost(rate, running))),
        (500, LeaseStarted(1, h("hand"), at(500), at(500) + running, bond)),
        (590, LeaseToppedUp(1, cost(rate, 1_800), at(500) + running + 1_800)),
        (605, opened(2, (9,), rate, cost(rate, 3 * HOUR_S), operator=OPERATORS[0], notice=3_600, minimum=7_200)),
        (610, LeaseStarted(2, h("hand"), at(610), at(610) + 3 * HOUR_S, cost(rate, 7_200))),
        (last - 20, NoticeGiven(2, at(last - 20) + 3_600)),
        (295, opened(3, (4,), rate, deposit)),
        (300, LeaseStarted(3, h("hand"), at(300), at(300) + HOUR_S, bond)),
        (400, DowntimeRefunded(3, 12, DEVICES[4], down, 72)),
        (450, LeaseEnded(3, RENTER, at(300) + 1_800, 0)),
        (460, LeaseClaimed(3, PROVIDERS[0], (streamed - down) * 98 // 100, (streamed - down) // 50)),
        (461, LeaseRefunded(3, RENTER, deposit - streamed + down)),
        (last - 2, opened(4, NODES[1], 6 * rate, cost(6 * rate, 2 * HOUR_S), notice=1_800)),
    ]
    # A node of three, dark for a part of every epoch: too long to keep its renter.
    node = (8, 16, 24)
    events += [
        (last - 155, opened(5, node, 3 * rate, cost(3 * rate, 6 * HOUR_S), operator=OPERATORS[0], minimum=3 * HOUR_S)),
        (
            last - 150,
            LeaseStarted(5, h("hands"), at(last - 150), at(last - 150) + 6 * HOUR_S, cost(3 * rate, 3 * HOUR_S)),
        ),
        (last - 60, LeaseEnded(5, RENTER, at(last - 150) + 3 * HOUR_S, 0)),
        (last - 30, DowntimeRefunded(5, 20, DEVICES[16], cost(3 * rate, 108), 108)),
        (last - 8, DowntimeRefunded(5, 21, DEVICES[8], cost(3 * rate, 72), 180)),
        (last - 8, BondForfeited(5, cost(3 * rate, 2 * HOUR_S))),
    ]
    # The cheat was leased when its proof of fault came.
    events += [
        (PROVEN_AT - 25, opened(6, (5,), rate, deposit, minimum=1_800)),
        (
            PROVEN_AT - 20,
            LeaseStarted(6, h("hand"), at(PROVEN_AT - 20), at(PROVEN_AT - 20) + HOUR_S, cost(rate, 1_800)),
        ),
        (PROVEN_AT, DeviceOfLeaseSlashed(6, CHEAT)),
        (PROVEN_AT, BondForfeited(6, cost(rate, 1_560))),
        (PROVEN_AT + 2, LeaseEnded(6, RENTER, at(PROVEN_AT + 2), 0)),
    ]
    return events


def fill(index: MarketIndex, now: int) -> None:
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
    index.apply(LogBatch(logs, seats, Tip(last, h("tip"), now), calls))
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


def price_of(n: int) -> int:
    """The rate of a device alone."""
    return int(model_of(n)[3] * (1 + n / 90) * 10**6 / HOUR_S * 10**18)


def signed(provider: Address, devices: tuple[int, ...], now: int, rate: int, notice: int = 0) -> SignedOffer:
    """An offer of these devices, of the second provider by its operator."""
    operator = OPERATORS[0] if provider == PROVIDERS[1] else NOBODY
    ids = tuple(DEVICES[n] for n in sorted(devices))
    offer = Offer(provider, operator, ids, TOKEN, rate, 600, 30 * 86_400, now + 86_400, 0, NOBODY, notice)
    return SignedOffer(offer, bytes(64))


def take_offers(index: MarketIndex, now: int) -> None:
    follower = OfferFollower(index, None, Domain(31337, account("escrow")))  # type: ignore[arg-type]
    for p, provider in enumerate(PROVIDERS):
        # Some are on offer with others only.
        alone = [n for n in range(len(DEVICES)) if n % 4 == p and n not in (13, 14, 18)]
        offers = [signed(provider, (n,), now, price_of(n), 3_600 if n % 9 == 4 else 0) for n in alone]
        for node in (node for node in NODES if node[0] % 4 == p):
            # Together they cost a little less, and more than six hours of notice.
            rate = sum(price_of(n) for n in node) * 9 // 10
            offers.append(signed(provider, node, now, rate, 21_600 if len(node) > 4 else 0))
        follower.take(provider, offers, [specification(document(n)) for n in range(28)])


def seeded_context(database: str, now: int) -> Context:
    """The context over a seeded index."""
    engine = open_database(database)
    index = MarketIndex(engine, max_age=6)
    fill(index, now)
    # Its time stands still, so that it does not look like a chain that does.
    status = Status("devnet", CHAIN_ID, clock=lambda: now + 3)
    status.move(index.tip(), index.tip().block)  # type: ignore[union-attr]
    names = ("EpochOracle", "LeaseEscrow", "DeviceRegistry", "NetworkToken", "FraudProofs")
    contracts = {name: account(name) for name in names}
    root, found = shown()
    links = Links(
        rpc="http://127.0.0.1:8545",
        contracts=contracts,
        tokens={TOKEN: Token("tUSD", 6)},
        decode=lambda target, data: ("proveWrongElement", call_of(CHEATED, CHEAT, root, found)),
        explain=lambda data: "NotToday()",
        encode=lambda contract, function, arguments: (contracts.get(contract, contract), h(function)),
    )
    last = 6 + EPOCHS * EPOCH_BLOCKS
    epochs = ContractTimes(now - last * BLOCK_S + 6 * BLOCK_S, EPOCH_BLOCKS * BLOCK_S, 120, 86_400)
    return Context(engine, status, SearchTable(engine), links=links, terms=TERMS, deadlines=epochs)


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
