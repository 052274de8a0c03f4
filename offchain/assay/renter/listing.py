"""One device that can be leased, as a search shows it, with what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from assay.chain.devices import Device
from assay.protocol.report_lines import Measured
from assay.protocol.specification import Specification
from assay.renter.market_client import MarketRow
from assay.renter.money import price_per_hour
from assay.renter.offers import ANYONE, SignedOffer


@dataclass(frozen=True)
class Evidence:
    """What was checked: the device as the registry holds it, a proven line of a report, a signed offer."""

    device: Device
    measured: Measured
    signed: SignedOffer


@dataclass(frozen=True)
class Listing:
    """`model` and `region` are declared, not measured; `decimals` are the token's, `rate` base units × 10¹⁸ a second,
    durations seconds. `round_trip_ms` is None where it was not measured or nothing answered.

    Without `evidence` it is a market's claim; `doubt` says why that claim did not hold against the chain.
    """

    device_id: bytes
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
    round_trip_ms: float | None = None
    evidence: Evidence | None = None
    doubt: str | None = None

    @property
    def name(self) -> str:
        """The device id, 0x-hex."""
        return "0x" + self.device_id.hex()

    @property
    def price(self) -> Decimal:
        """Whole tokens an hour."""
        return price_per_hour(self.rate, self.decimals)

    @property
    def value(self) -> Decimal:
        """Giga-operations a second for one token an hour."""
        return Decimal(self.score_gops) / self.price if self.price else Decimal(0)


def proven_listing(evidence: Evidence, decimals: int, specification: Specification | None) -> Listing:
    """A listing whose every fact but the declared ones was checked."""
    leaf, offer, device = evidence.measured.leaf, evidence.signed.offer, evidence.device
    return Listing(
        device_id=device.device_id,
        provider=device.provider,
        endpoint=device.endpoint,
        model=specification.model if specification else "",
        region=specification.region if specification else "",
        profile=leaf.profile,
        epoch=leaf.epoch,
        score_gops=leaf.score_gops,
        memory_mib=leaf.memory_mib,
        uptime_bps=leaf.uptime_bps,
        token=offer.token,
        decimals=decimals,
        rate=offer.rate,
        min_duration=offer.min_duration,
        max_duration=offer.max_duration,
        valid_until=offer.valid_until,
        renter=offer.renter,
        evidence=evidence,
    )


def claimed_listing(row: MarketRow, decimals: int, endpoint: str = "") -> Listing:
    """A listing as a market claims it."""
    return Listing(
        device_id=row.device_id,
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
    )


def listings(
    devices: Mapping[bytes, Device],
    measured: Mapping[bytes, Measured],
    offers: Mapping[bytes, SignedOffer],
    decimals: Mapping[str, int],
    specifications: Mapping[bytes, Specification],
) -> list[Listing]:
    """Devices that passed, with an offer in a token whose decimals are known; ascending by device."""
    found = []
    for device_id in sorted(devices):
        device, line, signed = devices[device_id], measured.get(device_id), offers.get(device_id)
        if line is not None and line.passed and signed is not None and signed.offer.token in decimals:
            evidence = Evidence(device, line, signed)
            found.append(proven_listing(evidence, decimals[signed.offer.token], specifications.get(device.spec_hash)))
    return found
