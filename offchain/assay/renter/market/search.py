"""Which listings answer to what a renter needs, and in which order: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from assay.protocol.specification import DeclaredHost
from assay.renter.market.listing import Listing
from assay.renter.market.offers import ANYONE
from assay.sheet.fields import NUMBERS
from assay.sheet.model_names import is_named, words_of
from assay.sheet.orders import SORTS
from assay.sheet.places import parts_of
from assay.sheet.reliability import BPS, EPOCHS_OF_A_SLASH


def lies_in(region: str, around: str) -> bool:
    """Whether a region is the other or lies in it: `eu-de-fra` in `eu-de`."""
    wide = parts_of(around)
    return bool(wide) and parts_of(region)[: len(wide)] == wide


def distance(region: str, other: str) -> int:
    """Parts of `other` that a region does not share, from the widest on: 0 lies in it, the most shares nothing."""
    shared = 0
    for one, two in zip(parts_of(region), parts_of(other), strict=False):
        if one != two:
            break
        shared += 1
    return len(parts_of(other)) - shared


NO_HOST = DeclaredHost(0, 0, 0)
NOT_REACHED = float("inf")


class Order(StrEnum):
    """What the best comes first by."""

    best = "best"  # price of one device that is sure to work
    price = "price"
    score = "score"
    value = "value"  # score for the price
    uptime = "uptime"
    memory = "memory"
    expected = "expected"  # proven, of what the model should make
    latency = "latency"
    # Of the sheet, the most first.
    memory_gb = "memoryGb"
    bf16 = "bf16Tflops"
    bandwidth = "bandwidthGbs"
    pcie = "pcieMbs"
    card_link = "cardLinkMbs"
    cards = "cardsInHost"
    cuda = "cuda"
    cores = "hostCores"
    cpu_mhz = "cpuMhz"
    ram = "hostMemoryMib"
    disk = "hostDiskMib"
    disk_read = "diskReadMbs"
    disk_write = "diskWriteMbs"
    network_up = "networkUpMbps"
    network_down = "networkDownMbps"


@dataclass(frozen=True)
class Wanted:
    """What must hold. Prices in whole tokens an hour for all devices of an offer, `min_value` in giga-operations a
    second for one of them, `duration` in seconds, `max_rtt_ms` as measured from here. Score, memory, uptime and profile
    must hold for each of the devices.

    An offer has `min_gpus` to `max_gpus` devices, None for however many. `model` names the card that all of them
    declare, however it is written; `min_memory_mib` is proven, `min_memory_gb` what such a card is sold with, which it
    declares; `min_of_expected_bps` is how much was proven of what the model should make; `at_least` and `at_most` bound
    numbers of the sheet by their names, what is not known is within neither; `region` is a region or one around it.
    `min_host` is what all of them together declare of their machine at least. `no_slashed` takes nothing of a
    provider that has had a device slashed. `firm` takes no offer that the provider may end by giving notice. `near`
    filters nothing: what lies nearer to it comes first.
    """

    min_gpus: int = 1
    max_gpus: int | None = None
    firm: bool = False
    model: str | None = None
    region: str | None = None
    near: str | None = None
    min_score: int = 0
    min_value: Decimal | None = None
    min_memory_mib: int = 0
    min_memory_gb: int = 0
    min_of_expected_bps: int = 0
    no_slashed: bool = False
    at_least: tuple[tuple[str, int], ...] = ()
    at_most: tuple[tuple[str, int], ...] = ()
    min_host: DeclaredHost = NO_HOST
    min_uptime_bps: int = 0
    max_price: Decimal | None = None
    max_rtt_ms: float | None = None
    token: str | None = None
    profile: int | None = None
    provider: str | None = None
    duration: int | None = None
    renter: str | None = None


def matches(listing: Listing, wanted: Wanted, now: float) -> bool:
    """Whether a listing is what is wanted and could be leased now; the round trip is `is_near_enough`'s."""
    return (
        listing.valid_until > now
        and listing.renter in (ANYONE, wanted.renter or ANYONE)
        and wanted.min_gpus <= listing.gpus <= (wanted.max_gpus or listing.gpus)
        and not (wanted.firm and listing.notice)
        and listing.score_gops >= wanted.min_score
        and (wanted.min_value is None or listing.value >= wanted.min_value)
        and listing.memory_mib >= wanted.min_memory_mib
        and max(listing.named.memory_gb, listing.memory_mib >> 10) >= wanted.min_memory_gb
        and listing.of_expected_bps >= wanted.min_of_expected_bps
        and not (wanted.no_slashed and listing.provider_slashes)
        and all(number(listing, name) >= bound for name, bound in wanted.at_least)
        and all(0 < number(listing, name) <= bound for name, bound in wanted.at_most)
        and has_at_least(listing.host, wanted.min_host)
        and listing.uptime_bps >= wanted.min_uptime_bps
        and (wanted.model is None or is_model(listing, wanted.model))
        and (wanted.region is None or lies_in(listing.region, wanted.region))
        and (wanted.max_price is None or listing.price <= wanted.max_price)
        and (wanted.token is None or listing.token.lower() == wanted.token.lower())
        and (wanted.profile is None or listing.profile == wanted.profile)
        and (wanted.provider is None or listing.provider.lower() == wanted.provider.lower())
        and (wanted.duration is None or listing.min_duration <= wanted.duration <= listing.max_duration)
    )


def number(listing: Listing, name: str) -> int:
    """A number of a listing's sheet; 0 where it is not known."""
    value = listing.sheet.get(name)
    return 0 if value is None else NUMBERS[name].number(str(value.value))


def is_model(listing: Listing, model: str) -> bool:
    """Whether all devices declare the card that is named, or exactly this text."""
    if not listing.model:
        return False
    return is_named(words_of(model), listing.named.words) or model.casefold() == listing.model.casefold()


def has_at_least(host: DeclaredHost | None, wanted: DeclaredHost) -> bool:
    """Whether a declared part of a host is as large as is wanted; what declares nothing has nothing."""
    has = host or NO_HOST
    return has.cores >= wanted.cores and has.memory_mib >= wanted.memory_mib and has.disk_mib >= wanted.disk_mib


def is_near_enough(listing: Listing, wanted: Wanted) -> bool:
    """Whether the measured round trip is short enough; what was not reached never is."""
    return wanted.max_rtt_ms is None or _round_trip(listing) <= wanted.max_rtt_ms


def ordered(found: Iterable[Listing], order: Order, near: str | None = None) -> list[Listing]:
    """Nearest to `near` first, then the best; equal ones by devices, so that the order is the same every time. Amounts
    of different tokens do not compare: by price it is one token after the other, as with markets."""
    keys: dict[Order, Callable[[Listing], Decimal | float]] = {
        Order.best: _sure_price,
        Order.price: lambda one: one.price,
        Order.score: lambda one: -one.score_gops,
        Order.value: lambda one: -one.value,
        Order.uptime: lambda one: -one.uptime_bps,
        Order.memory: lambda one: -one.memory_mib,
        Order.expected: lambda one: -one.of_expected_bps,
        Order.latency: _round_trip,
    }

    def by_sheet(one: Listing) -> Decimal | float:
        return -number(one, order.value)

    key = keys.get(order, by_sheet)
    by_amount = order.value in SORTS and SORTS[order.value].is_amount

    def rank(one: Listing) -> tuple[int, str, Decimal | float, tuple[bytes, ...]]:
        token = one.token if by_amount else ""
        return (distance(one.region, near) if near else 0, token, key(one), one.device_ids)

    return sorted(found, key=rank)


def _sure_price(one: Listing) -> Decimal:
    """By the share of epochs that it is sure to pass; without a market's count of them, by its provider's slashes."""
    each = one.price / one.gpus
    if one.reliability_low_bps:
        return each * BPS / one.reliability_low_bps
    return each * (1 + EPOCHS_OF_A_SLASH * one.provider_slashes)


def _round_trip(one: Listing) -> float:
    return NOT_REACHED if one.round_trip_ms is None else one.round_trip_ms
