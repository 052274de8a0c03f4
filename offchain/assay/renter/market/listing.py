"""One offer that can be taken, of one device or of a node, as a search shows it, with what proves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from assay.chain.contracts.devices import Device
from assay.protocol.hexadecimal import to_hex
from assay.protocol.rates import price_per_hour
from assay.protocol.specification import DeclaredHost, Specification, host_of_all
from assay.protocol.types import DeviceId
from assay.renter.market.market_client import MarketRow
from assay.renter.market.measurements import Passes, common_pass
from assay.renter.market.offers import ANYONE, node_of
from assay.sheet.declared import declared_of_all, host_columns
from assay.sheet.fields import sheet_of_row
from assay.sheet.model_names import NamedModel, named_model, of_expected_bps
from assay.sheet.values import Sheet
from assay.wire.leases import SignedOffer
from assay.wire.lines import Measured

T = TypeVar("T")


@dataclass(frozen=True)
class Evidence:
    """What was checked: a signed offer, its devices as the registry holds them, and a proven line of each, all of one
    report; both in the offer's order."""

    devices: tuple[Device, ...]
    measured: tuple[Measured, ...]
    signed: SignedOffer


@dataclass(frozen=True)
class Listing:
    """Score, memory and uptime are the least of any of its devices, as the escrow holds a lease to them; the rate is
    for all of them together.

    `model`, `declared_mib` (memory, of the least), `region` and `host` are declared, not measured. `host` is what a pod
    of all its devices has of their machine, None where one declares nothing; the others and `profile` are what all of
    its devices have, else empty and 0. `decimals` are the token's, `rate` base units × 10¹⁸ a second, durations
    seconds; `notice` is the warning after which the provider may end at no cost, 0 where it may not. `round_trip_ms` is
    None where it was not measured or nothing answered. `expected_gops` is the least score that an honest card of its
    model and profile should have, 0 where nobody knows the model. `claimed` is a market's sheet, `declared` columns of
    one that the specifications declare. `provider_slashes` are devices of its provider that were slashed; reliability
    at least, and of how many epochs, only a market knows: else 0.

    Without `evidence` it is a market's claim; `doubt` says why that claim did not hold against the chain.
    """

    device_ids: tuple[DeviceId, ...]
    offer_hash: bytes
    provider: str
    endpoint: str
    model: str
    region: str
    profile: int
    epoch: int
    score_gops: int
    memory_mib: int
    uptime_bps: int
    token: str
    decimals: int
    rate: int
    min_duration: int
    max_duration: int
    valid_until: int
    renter: str = ANYONE
    notice: int = 0
    host: DeclaredHost | None = None
    declared_mib: int = 0
    expected_gops: int = 0
    claimed: Sheet = field(default_factory=dict)
    declared: Mapping[str, int | str] = field(default_factory=dict)
    measured_epochs: int = 0
    reliability_low_bps: int = 0
    provider_slashes: int = 0
    round_trip_ms: float | None = None
    evidence: Evidence | None = None
    doubt: str | None = None

    @property
    def gpus(self) -> int:
        """How many devices it is."""
        return len(self.device_ids)

    @property
    def name(self) -> str:
        """The first device's id, 0x-hex."""
        return to_hex(self.device_ids[0])

    @property
    def named(self) -> NamedModel:
        """What the declared model and memory mean."""
        return named_model(self.model, self.declared_mib)

    @property
    def of_expected_bps(self) -> int:
        """What was proven of what it should make, in hundredths of a percent; 0 where that is not known."""
        return of_expected_bps(self.score_gops, self.expected_gops)

    @property
    def sheet(self) -> Sheet:
        """Each value with whose word it is: made here of what was checked, else as a market claims it."""
        if self.evidence is None:
            return self.claimed
        return sheet_of_row(
            {
                "gpus": self.gpus, "score_gops": self.score_gops, "of_expected_bps": self.of_expected_bps,
                "memory_mib": self.memory_mib, "memory_proven": self.memory_mib > 0, "uptime_bps": self.uptime_bps,
                "provider_slashes": self.provider_slashes, "model_name": self.named.name,
                "memory_gb": self.named.memory_gb, "region": self.region,
                **host_columns(self.host), **self.declared,
            }
        )  # fmt: skip

    @property
    def price(self) -> Decimal:
        """Whole tokens an hour, for all of its devices."""
        return price_per_hour(self.rate, self.decimals)

    @property
    def value(self) -> Decimal:
        """Giga-operations a second for one token an hour."""
        return Decimal(self.score_gops * self.gpus) / self.price if self.price else Decimal(0)


def common(values: Iterable[T], otherwise: T) -> T:
    """What all of them are, else what no search takes for it."""
    known = set(values)
    return known.pop() if len(known) == 1 else otherwise


def declared_columns(declared: Iterable[Specification | None]) -> dict[str, int | str]:
    """What specifications declare of a sheet, of all devices together."""
    return declared_of_all([(one.document, one.model, one.memory_mib) if one else ("", "", 0) for one in declared])


def proven_listing(evidence: Evidence, decimals: int, specifications: Mapping[bytes, Specification]) -> Listing:
    """A listing whose every fact but the declared ones was checked; `specifications` by their hash."""
    leaves, offer, first = [line.leaf for line in evidence.measured], evidence.signed.offer, evidence.devices[0]
    declared = [specifications.get(device.spec_hash) for device in evidence.devices]
    return Listing(
        device_ids=offer.device_ids,
        offer_hash=offer.struct_hash(),
        provider=offer.provider,
        endpoint=first.endpoint,
        model=common((one.model if one else "" for one in declared), ""),
        region=common((one.region if one else "" for one in declared), ""),
        profile=common((leaf.profile for leaf in leaves), 0),
        epoch=leaves[0].epoch,
        score_gops=min(leaf.score_gops for leaf in leaves),
        memory_mib=min(leaf.memory_mib for leaf in leaves),
        uptime_bps=min(leaf.uptime_bps for leaf in leaves),
        token=offer.token,
        decimals=decimals,
        rate=offer.rate,
        min_duration=offer.min_duration,
        max_duration=offer.max_duration,
        valid_until=offer.valid_until,
        renter=offer.renter,
        notice=offer.notice,
        host=host_of_all(one.host if one else None for one in declared),
        declared_mib=min(one.memory_mib if one else 0 for one in declared),
        declared=declared_columns(declared),
        evidence=evidence,
    )


def claimed_listing(row: MarketRow, decimals: int, endpoint: str = "") -> Listing:
    """A listing as a market claims it."""
    return Listing(
        device_ids=row.device_ids,
        offer_hash=row.offer_hash,
        provider=row.provider,
        endpoint=endpoint,
        model=row.model,
        region=row.region,
        profile=row.profile,
        epoch=row.epoch,
        score_gops=row.score_gops,
        memory_mib=row.memory_mib,
        uptime_bps=row.uptime_bps,
        token=row.token,
        decimals=decimals,
        rate=row.rate,
        min_duration=row.min_duration,
        max_duration=row.max_duration,
        valid_until=row.valid_until,
        notice=row.notice,
        host=row.host,
        declared_mib=row.declared_mib,
        expected_gops=row.expected_gops,
        claimed=row.sheet,
        measured_epochs=row.sheet_number("measuredEpochs"),
        reliability_low_bps=row.sheet_number("reliabilityLowBps"),
        provider_slashes=row.sheet_number("providerSlashes"),
    )


def claim_of(listing: Listing) -> MarketRow:
    """What a market claimed, of a listing that was made of it."""
    return MarketRow(
        listing.device_ids, listing.offer_hash, listing.provider, listing.profile, listing.model, listing.region,
        listing.memory_mib, listing.score_gops, listing.uptime_bps, listing.epoch, listing.token, listing.rate,
        listing.min_duration, listing.max_duration, listing.valid_until, listing.notice, listing.host,
        listing.declared_mib, listing.expected_gops, listing.claimed,
    )  # fmt: skip


def listings(
    devices: Mapping[DeviceId, Device],
    passes: Passes,
    offers: Iterable[SignedOffer],
    decimals: Mapping[str, int],
    specifications: Mapping[bytes, Specification],
) -> list[Listing]:
    """Offers in a token whose decimals are known, over devices that all passed in one epoch; ascending by devices."""
    found = []
    for signed in offers:
        node, measured = node_of(signed.offer, devices), common_pass(passes, signed.offer.device_ids)
        if node is not None and measured is not None and signed.offer.token in decimals:
            evidence = Evidence(node, measured, signed)
            found.append(proven_listing(evidence, decimals[signed.offer.token], specifications))
    return sorted(found, key=lambda one: (one.device_ids, one.token, one.rate))
