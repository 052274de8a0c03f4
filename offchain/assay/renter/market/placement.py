"""Offers that can be taken together: no two with a device in common, no two at one site, or alike and at one site."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from ipaddress import ip_address

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.renter.errors import NoDevice
from assay.renter.market.listing import Listing

ADDRESS_BITS = {4: 24, 6: 48}  # the smallest networks that are routed on their own


def marks_of_site(listing: Listing) -> frozenset[str]:
    """What tells a site: the provider, and its host or network. Two devices that share either may share a site,
    whatever region they declare."""
    marks = {f"provider {listing.provider.lower()}", network_of(listing)}
    return frozenset(mark for mark in marks if mark is not None)


def network_of(listing: Listing) -> str | None:
    """The network that a listing is served in, or its host's name; None where it names no place."""
    try:
        host = parse_origin(listing.endpoint).host
    except BadOrigin:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return f"host {host}"
    bits = address.max_prefixlen - ADDRESS_BITS[address.version]
    return f"network {int(address) >> bits:x}/{address.version}"


def spread(found: Iterable[Listing], count: int) -> list[Listing]:
    """The first `count` of the best-first listings of which no two share a site. Raises NoDevice for fewer."""
    chosen: list[Listing] = []
    taken: set[str] = set()
    for one in found:
        marks = marks_of_site(one)
        if taken.isdisjoint(marks):
            chosen.append(one)
            taken |= marks
        if len(chosen) == count:
            return chosen
    raise NoDevice(f"{count} offers at sites of their own were asked for, {len(chosen)} were found")


def disjoint(found: Iterable[Listing], count: int) -> list[Listing]:
    """The first `count` of the best-first listings of which no two have a device in common. Raises NoDevice."""
    chosen: list[Listing] = []
    taken: set[bytes] = set()
    for one in found:
        if taken.isdisjoint(one.device_ids):
            chosen.append(one)
            taken.update(one.device_ids)
        if len(chosen) == count:
            return chosen
    raise NoDevice(f"{count} were asked for, {len(chosen)} on offer answer to it: ask for less")


def alike(found: Iterable[Listing], count: int) -> list[Listing]:
    """`count` of the best-first listings that are alike and together: served by one daemon where there are so many,
    else of one provider in one region, else in one network; those whose best comes first. Raises NoDevice."""
    listings = list(found)
    places: tuple[Callable[[Listing], object], ...] = (
        lambda one: (one.provider.lower(), one.endpoint),
        lambda one: (one.provider.lower(), one.region),
        network_of,
    )
    most = 0
    for place in places:
        groups: dict[tuple[object, ...], list[Listing]] = {}
        for one in listings:
            if (where := place(one)) is not None:
                kind = (where, one.gpus, one.model, one.profile, one.token, one.host)
                groups.setdefault(kind, []).append(one)
        for group in groups.values():
            try:
                return disjoint(group, count)
            except NoDevice:
                most = max(most, len(group))
    raise NoDevice(f"{count} nodes alike at one site were asked for, at most {most} are offered together: ask for less")


class Placement(Enum):
    """Which offers go together."""

    ANYWHERE = "no two with a device in common"
    APART = "no two at one site"
    TOGETHER = "alike, at one site"

    def choose(self, found: Iterable[Listing], count: int) -> list[Listing]:
        """The best `count` of the best-first listings that do. Raises NoDevice for fewer."""
        rules: dict[Placement, Callable[[Iterable[Listing], int], list[Listing]]] = {
            Placement.ANYWHERE: disjoint,
            Placement.APART: spread,
            Placement.TOGETHER: alike,
        }
        return rules[self](found, count)


ANYWHERE = Placement.ANYWHERE
