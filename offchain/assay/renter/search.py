"""Which devices answer to what a renter needs: a pure function of measurements and offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from assay.chain.devices import Device
from assay.renter.measurements import Measured
from assay.renter.money import price_per_hour
from assay.renter.offers import ANYONE, SignedOffer


class Order(StrEnum):
    """What the best comes first by."""

    price = "price"
    score = "score"
    value = "value"  # score for the price
    uptime = "uptime"
    memory = "memory"
    latency = "latency"


@dataclass(frozen=True)
class Wanted:
    """What must hold. Prices in whole tokens an hour, `duration` seconds, `max_rtt_ms` as measured from here."""

    min_score: int = 0
    min_memory_mib: int = 0
    min_uptime_bps: int = 0
    max_price: Decimal | None = None
    max_rtt_ms: float | None = None
    token: str | None = None
    profile: int | None = None
    provider: str | None = None
    duration: int | None = None
    renter: str | None = None


@dataclass(frozen=True)
class Listing:
    """A device that was measured and is on offer. `decimals` are the token's."""

    device: Device
    measured: Measured
    signed: SignedOffer
    decimals: int

    @property
    def price(self) -> Decimal:
        """Whole tokens an hour."""
        return price_per_hour(self.signed.offer.rate, self.decimals)

    @property
    def value(self) -> Decimal:
        """Giga-operations a second for one token an hour."""
        return Decimal(self.measured.leaf.score_gops) / self.price if self.price else Decimal(0)


def listings(
    devices: Mapping[bytes, Device],
    measured: Mapping[bytes, Measured],
    offers: Mapping[bytes, SignedOffer],
    decimals: Mapping[str, int],
) -> list[Listing]:
    """Devices with a measurement, an offer, and a token whose decimals are known; ascending by device."""
    found = []
    for device_id in sorted(devices):
        line, signed = measured.get(device_id), offers.get(device_id)
        if line is not None and signed is not None and signed.offer.token in decimals:
            found.append(Listing(devices[device_id], line, signed, decimals[signed.offer.token]))
    return found


def matches(listing: Listing, wanted: Wanted, now: float) -> bool:
    """Whether a listing is what is wanted and could be leased now."""
    leaf, offer = listing.measured.leaf, listing.signed.offer
    return (
        listing.measured.passed
        and offer.valid_until > now
        and offer.renter in (ANYONE, wanted.renter or ANYONE)
        and leaf.score_gops >= wanted.min_score
        and leaf.memory_mib >= wanted.min_memory_mib
        and leaf.uptime_bps >= wanted.min_uptime_bps
        and (wanted.max_price is None or listing.price <= wanted.max_price)
        and (wanted.max_rtt_ms is None or listing.signed.round_trip_ms <= wanted.max_rtt_ms)
        and (wanted.token is None or offer.token.lower() == wanted.token.lower())
        and (wanted.profile is None or leaf.profile == wanted.profile)
        and (wanted.provider is None or offer.provider.lower() == wanted.provider.lower())
        and (wanted.duration is None or offer.min_duration <= wanted.duration <= offer.max_duration)
    )


def ordered(found: Iterable[Listing], order: Order) -> list[Listing]:
    """Best first; equal ones by device, so that the order is the same every time."""
    keys: dict[Order, Callable[[Listing], Decimal | float]] = {
        Order.price: lambda one: one.price,
        Order.score: lambda one: -one.measured.leaf.score_gops,
        Order.value: lambda one: -one.value,
        Order.uptime: lambda one: -one.measured.leaf.uptime_bps,
        Order.memory: lambda one: -one.measured.leaf.memory_mib,
        Order.latency: lambda one: one.signed.round_trip_ms,
    }
    key = keys[order]
    return sorted(found, key=lambda one: (key(one), one.device.device_id))
