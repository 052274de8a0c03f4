"""A small network's history, written with the market's own event records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay.market.events.device_events import DeviceEndpoint, DeviceEnrolled, ProfileAdded
from assay.market.events.epoch_events import EpochDrawn, EpochOpened, EpochReported, EpochSealed
from assay.market.events.lease_events import LeaseOpened, OfferTerms
from assay.market.events.record import Address, Event, Place
from assay.market.events.registry import RawLog, log_of
from assay.market.events.seat_events import SeatEndpoint, SeatJoined, SetChanged
from assay.market.events.stake_events import Deposited
from assay.market.events.treasury_events import TokenListed
from assay.market.follow.index import LogBatch, Tip
from assay.protocol.hexadecimal import ZERO_ADDRESS, to_address, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import DeviceLeaf, ObservationLeaf, RewardLeaf, batch_tree, device_tree, reward_tree
from assay.protocol.messages import Observations
from assay.protocol.signing import Domain, address_of, sign_compact

GENESIS = 1_700_000_000
BLOCK_S = 12


def h(text: str) -> bytes:
    """A hash that stands for something."""
    return keccak(text.encode())


def account(name: str) -> Address:
    """An account that nobody has the key of."""
    return Address(to_address(h(name)[:20]))


PROVIDER_KEYS = (h("provider key 0"), h("provider key 1"))
PROVIDERS = tuple(Address(address_of(key)) for key in PROVIDER_KEYS)
DEVICES = tuple(h(f"device {n}") for n in range(4))
VALIDATORS = tuple(account(f"validator {n}") for n in range(4))
RENTER = account("renter")
TOKEN = account("token")
OPERATOR_KEY = h("operator key")
OPERATOR = Address(address_of(OPERATOR_KEY))
NOBODY = Address(ZERO_ADDRESS)
SEAT_KEYS = {v: h(f"seat key of {v}") for v in VALIDATORS}
SEATS = tuple((v, Address(address_of(key))) for v, key in SEAT_KEYS.items())
ORACLE = Domain(31337, account("oracle"))


def timestamp(block: int) -> int:
    """Seconds of a block."""
    return GENESIS + block * BLOCK_S


def logs_of(events: Sequence[tuple[int, Event]]) -> list[RawLog]:
    """Logs of (block, event) pairs, numbered within their blocks."""
    counts: dict[int, int] = {}
    found = []
    for block, event in sorted(events, key=lambda pair: pair[0]):
        number = counts[block] = counts.get(block, -1) + 1
        place = Place(block, number, h(f"transaction {block}"), timestamp(block))
        found.append(log_of(event, place))
    return found


def tip(block: int, fork: str = "") -> Tip:
    """The end of a batch at this block."""
    return Tip(block, h(f"block {block}{fork}"), timestamp(block))


def batch(events: Sequence[tuple[int, Event]], last: int, seats: bool = False) -> LogBatch:
    """A batch of (block, event) pairs up to `last`."""
    return LogBatch(logs_of(events), {1: SEATS} if seats else {}, tip(last))


def founding() -> list[tuple[int, Event]]:
    """Blocks 1 to 4: a profile, a token, four seats, two providers with two devices each."""
    micro = (64, 64, 64, 4, 32, 16, 2, 2_000, 1, 1_000, 10**18)
    events: list[tuple[int, Event]] = [
        (1, ProfileAdded(1, micro)),
        (1, TokenListed(TOKEN, 1)),
        (2, SetChanged(1, 0, 4)),
    ]
    for validator, signer in SEATS:
        events += [
            (1, Deposited(validator, validator, 10**21)),
            (2, SeatJoined(validator, signer, 0)),
            (2, SeatEndpoint(validator, f"http://{validator.lower()}.test", bytes(32))),
        ]
    for n, device in enumerate(DEVICES):
        provider = PROVIDERS[n % 2]
        events += [
            (3, Deposited(provider, provider, 10**19)),
            (4, DeviceEnrolled(device, provider, account(f"key {n}"), 1, specification_hash(n))),
            (4, DeviceEndpoint(device, f"http://provider-{n % 2}.test", bytes(32))),
        ]
    return events


def opened(
    lease: int,
    *devices: int,
    rate: int = 10**20,
    deposit: int = 10**9,
    operator: Address = NOBODY,
    notice: int = 0,
    minimum: int = 60,
    nonce: int = 0,
) -> LeaseOpened:
    """A lease of these of the DEVICES, which one provider has; of the first without any."""
    chosen = devices or (0,)
    provider = PROVIDERS[chosen[0] % 2]
    ids = tuple(sorted(DEVICES[n] for n in chosen))
    terms = OfferTerms(provider, operator, ids, TOKEN, rate, minimum, 3_600, timestamp(30), nonce, NOBODY, notice)
    return LeaseOpened(lease, RENTER, provider, h(f"offer of lease {lease}"), terms, deposit)


def specification_hash(n: int) -> bytes:
    """The hash that device `n` enrolled with."""
    from assay.market.sources.offers import specification

    return specification(specification_document(n)).spec_hash


def specification_document(n: int) -> dict[str, object]:
    """What device `n` says of itself."""
    return {"model": ("H100", "RTX 4090")[n % 2], "memoryMiB": (81_920, 24_576)[n % 2], "region": "eu"}


def device_leaves(epoch: int, flags: Sequence[int] = (1, 1, 1, 1)) -> list[DeviceLeaf]:
    """Report leaves of all four devices."""
    ordered = sorted(zip(DEVICES, flags, range(len(DEVICES)), strict=True))
    return [
        DeviceLeaf(epoch, d, i, 1, 100 * (n + 1) if f == 1 else 0, 16 * n, 10_000, f, h(f"result {epoch} {n}"))
        for i, (d, f, n) in enumerate(ordered)
    ]


def reward_leaves(epoch: int) -> list[RewardLeaf]:
    """The reward tree after an epoch."""
    return [RewardLeaf(a, (epoch + 1) * 10**18 + n) for n, a in enumerate((*VALIDATORS, *PROVIDERS))]


def observed(leaves: Sequence[DeviceLeaf], flags: Mapping[bytes, int] | None = None) -> list[ObservationLeaf]:
    """What a seat saw of these devices: what the report says, but for `flags`."""
    seen = flags or {}
    return [
        ObservationLeaf(leaf.device_id, leaf.result_root, 150_000 + n, seen.get(leaf.device_id, leaf.flags), 10_000)
        for n, leaf in enumerate(leaves)
    ]


def signed_batch(epoch: int, seat: str, leaves: Sequence[ObservationLeaf], key: bytes | None = None) -> dict[str, Any]:
    """A batch as validators serve it."""
    message = Observations(epoch, 1, h(f"rho {epoch}"), batch_tree(leaves).root)
    return {
        "epoch": epoch, "setId": 1, "seat": seat, "rho": to_hex(message.rho),
        "leaves": [
            {"deviceId": to_hex(o.device_id), "resultRoot": to_hex(o.result_root), "elapsedUs": o.elapsed_us,
             "flags": o.flags, "uptimeBps": o.uptime_bps}
            for o in leaves
        ],
        "signature": to_hex(sign_compact(message.digest(ORACLE), key or SEAT_KEYS[seat])),
    }  # fmt: skip


def epoch_events(
    epoch: int,
    block: int,
    leaves: Sequence[DeviceLeaf],
    signers: int = 0b0111,
    data_hash: bytes | None = None,
) -> list[tuple[int, Event]]:
    """An epoch from its opening to its report, in blocks `block` to `block + 3`."""
    rewards = reward_leaves(epoch)
    return [
        (block, EpochOpened(epoch, 1, h(f"beacon {epoch}"), h(f"seed {epoch}"))),
        (block + 1, EpochSealed(epoch, 0, h(f"seal {epoch}"), len(leaves), signers)),
        (block + 2, EpochDrawn(epoch, h(f"rho {epoch}"))),
        (
            block + 3,
            EpochReported(
                epoch,
                0,
                device_tree(leaves).root,
                reward_tree(rewards).root,
                sum(r.cumulative for r in rewards),
                data_hash or h(f"data {epoch}"),
                signers,
            ),
        ),
    ]
