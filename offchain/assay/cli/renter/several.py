"""Several leases by one `assay rent`: what becomes of the first ones when a later one fails, and nodes together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from assay.chain.errors import ChainError
from assay.cli.output import note
from assay.renter.errors import BadInput, RenterError
from assay.renter.market.placement import Placement
from assay.renter.session.clusters import join

if TYPE_CHECKING:
    from assay.renter.market.listing import Listing
    from assay.renter.renter import Renter


def placement(device: str | None, apart: int, nodes: int) -> tuple[int, Placement]:
    """How many offers are wanted, and which go together. Raises BadInput for options that exclude each other."""
    named = [name for name, given in (("a device", device), ("--spread", apart), ("--nodes", nodes)) if given]
    if len(named) > 1:
        raise BadInput(f"{' and '.join(named)}: give only one of them")
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
                note(f"lease {number} was rented before and keeps running: `assay end {number}` ends it")
        raise
    return done


async def _end(renter: Renter, number: int) -> None:
    try:
        await renter.end(number)
        note(f"lease {number} is useless without the others and was ended")
    except (RenterError, ChainError) as error:
        note(f"lease {number} is useless without the others and could not be ended ({error}): `assay end {number}`")


async def joined(renter: Renter, done: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], RenterError | None]:
    """Leases with the rank and the address that each one's pod has for the others, once they reach each other; None
    where they do not, with the reason."""
    numbers = [int(one["leaseId"]) for one in done]
    try:
        addresses: Sequence[str | None] = await join_leases(renter, numbers)
        failure = None
    except RenterError as error:
        addresses, failure = [None] * len(done), error
        again = f"`assay pod join {' '.join(map(str, numbers))}` tries again, `assay end {numbers[0]}` ends the first"
        note(f"the leases run, but their pods are not connected: {again}")
    return [
        {**one, "rank": rank, "address": address}
        for rank, (one, address) in enumerate(zip(done, addresses, strict=True))
    ], failure


async def join_leases(renter: Renter, numbers: Sequence[int]) -> Sequence[str]:
    """Makes one cluster of the pods of these leases, the first of rank 0; their addresses. Raises RenterError."""
    sessions = [(number, await renter.session(number)) for number in numbers]
    made = await join(sessions, note)
    for rank, (number, address) in enumerate(zip(numbers, made.addresses, strict=True)):
        note(f"lease {number}: node-{rank} for the others, {address}")
    return made.addresses
