"""Has the pods of several leases reach each other: on one host by its own network, else by links between providers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from assay.network.errors import BadOrigin
from assay.network.origins import parse_origin
from assay.renter.errors import BadInput, RenterError, Unreachable
from assay.renter.session.provider_session import ProviderSession
from assay.wire.clusters import MAX_MEMBERS, ClusterBody, ClusterShownBody, MemberBody, WayBody

LOOKS, LOOK_S = 60, 1.0


@dataclass(frozen=True)
class Cluster:
    """Addresses by rank, in the order of the leases that were given."""

    addresses: tuple[str, ...]
    linked: bool


async def join(leases: Sequence[tuple[int, ProviderSession]], tell: Callable[[str], None]) -> Cluster:
    """Makes one cluster of these leases' pods, in this order; returns once each reaches every other. Raises
    RenterError: what was reached is left as it is."""
    if not 2 <= len(leases) <= MAX_MEMBERS:
        raise BadInput(f"a cluster has 2 to {MAX_MEMBERS} pods, not {len(leases)}")
    await asyncio.gather(*(_running(number, session) for number, session in leases))
    linked = len({session.endpoint.url for _, session in leases}) > 1
    members = [MemberBody(lease_id=number) for number, _ in leases]
    if linked:
        ways = await asyncio.gather(*(_way(number, session) for number, session in leases))
        members = [MemberBody(lease_id=number, way=way) for (number, _), way in zip(leases, ways, strict=True)]
    shown = [await session.join(ClusterBody(rank=rank, members=members)) for rank, (_, session) in enumerate(leases)]
    if linked:
        await _linked(leases, tell)
    return Cluster(tuple(shown[0].addresses), linked)


async def _running(number: int, session: ProviderSession) -> None:
    for _ in range(LOOKS):
        if (await session.pod()).address is not None:
            return
        await asyncio.sleep(LOOK_S)
    raise RenterError(f"lease {number}: its pod does not run yet")


async def _way(number: int, session: ProviderSession) -> WayBody:
    shown = await session.cluster()
    if shown.port is None or shown.host_key is None:
        raise RenterError(f"lease {number}: its provider offers no SSH, which links pods on several hosts")
    try:
        host = parse_origin(session.endpoint.url).host
        address = await _address(host)
    except (BadOrigin, OSError) as error:
        raise Unreachable(f"lease {number}: the provider's host has no address of IPv4: {error}") from None
    return WayBody(host=address, port=shown.port, host_key=shown.host_key, link_key=shown.link_key)


async def _address(host: str) -> str:
    # Looked up here: a provider asks for no names that a renter gives it.
    try:
        return str(IPv4Address(host))
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
        return str(found[0][4][0])


async def _linked(leases: Sequence[tuple[int, ProviderSession]], tell: Callable[[str], None]) -> None:
    for _ in range(LOOKS):
        shown = await asyncio.gather(*(session.cluster() for _, session in leases))
        if not (missing := _missing(leases, shown)):
            tell("the pods are linked")
            return
        await asyncio.sleep(LOOK_S)
    raise RenterError("the pods do not reach each other: " + "; ".join(missing))


def _missing(leases: Sequence[tuple[int, ProviderSession]], shown: Sequence[ClusterShownBody]) -> list[str]:
    numbers = [number for number, _ in leases]
    # The pod of the higher rank connects, and knows what went wrong.
    down = [
        f"lease {numbers[rank]} to {numbers[link.rank]}: {link.reason}"
        for rank, one in enumerate(shown)
        for link in one.links
        if not link.up and link.rank < rank
    ]
    absent = [numbers[rank] for rank, one in enumerate(shown) if len(one.links) < len(leases) - 1]
    return down or [f"the pod of lease {number} is not linked to all others yet" for number in absent]
