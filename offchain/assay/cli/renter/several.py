"""Several leases by one `assay rent`: what becomes of the first ones when a later one fails, and nodes together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from assay.chain.errors import ChainError
from assay.cli.output import note
from assay.renter.errors import BadInput, RenterError
from assay.renter.market.placement import Placement

if TYPE_CHECKING:
    from assay.renter.market.listing import Listing
    from assay.renter.renter import Renter

LOOKS, LOOK_S = 60, 1.0


def placement(device: str | None, apart: int, nodes: int) -> tuple[int, Placement]:
    """How many offers are wanted, and which go together. Raises BadInput for options that exclude each other."""
    named = [name for name, given in (("a device", device), ("--spread", apart), ("--nodes", nodes)) if given]
    if len(named) > 1:
        raise BadInput(f"{' and '.join(named)}: one or the other, not both")
    if nodes:
        return nodes, Placement.TOGETHER
    return max(apart, 1), Placement.APART if apart else Placement.ANYWHERE


async def rent_each(
    renter: Renter,
    chosen: Sequence[Listing],
    rent_one: Callable[[Listing], Awaitable[dict[str, Any]]],
    together: bool,
) -> list[dict[str, Any]]:
    """Leases of all that was chosen, one after the other. Where one fails, those before it are ended if they are of use
    `together` only, and else named; the error goes on."""
    done: list[dict[str, Any]] = []
    try:
        for one in chosen:
            done.append(await rent_one(one))
    except (RenterError, ChainError, asyncio.CancelledError):
        for number in (int(one["leaseId"]) for one in done):
            if together:
                await _end(renter, number)
            else:
                note(f"lease {number} was rented before and goes on: `assay end {number}` ends it")
        raise
    return done


async def _end(renter: Renter, number: int) -> None:
    try:
        await renter.end(number)
        note(f"lease {number}, of use with the others only, is ended")
    except (RenterError, ChainError) as error:
        note(f"lease {number} is of use with the others only, and could not be ended ({error}): `assay end {number}`")


async def with_addresses(renter: Renter, done: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leases of one host with the address that each one's pod has for the others, once all of them run; None where the
    provider has no pods, or they do not run within a minute."""
    shown = await asyncio.gather(*(_address(renter, int(one["leaseId"])) for one in done))
    rows = [{**one, "address": address} for one, address in zip(done, shown, strict=True)]
    for one in rows:
        if one["address"] is not None:
            note(f"lease {one['leaseId']}: pod-{one['leaseId']} for the others, {one['address']}")
    return rows


async def _address(renter: Renter, number: int) -> str | None:
    try:
        session = await renter.session(number)
        for _ in range(LOOKS):
            if (address := (await session.pod()).address) is not None:
                return address
            await asyncio.sleep(LOOK_S)
    except RenterError as error:
        note(f"lease {number}: its pod's address is not known: {error}; `assay pod show {number}` tells it")
        return None
    note(f"lease {number}: its pod does not run yet: `assay pod show {number}` tells its address")
    return None
