"""Offers that can be taken together: no two with a device in common, or no two at one site."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.renter.errors import NoDevice
from assay.renter.listing import Listing

ADDRESS_BITS = {4: 24, 6: 48}  # the smallest networks that are routed on their own


def marks_of_site(listing: Listing) -> frozenset[str]:
    """What tells a site: the provider, and its host or network. Two devices that share either may share a site,
    whatever region they declare."""
    marks = {f"provider {listing.provider.lower()}"}
    try:
        host = parse_origin(listing.endpoint).host
    except BadOrigin:
        return frozenset(marks)
    try:
        address = ip_address(host)
        bits = address.max_prefixlen - ADDRESS_BITS[address.version]
        marks.add(f"network {int(address) >> bits:x}/{address.version}")
    except ValueError:
        marks.add(f"host {host}")
    return frozenset(marks)


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
