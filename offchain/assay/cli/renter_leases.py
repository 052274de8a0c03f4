"""`assay leases`, `top-up`, `end`, `refund`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.erc20 import Erc20
from assay.chain.leases import Lease, LeaseStatus
from assay.cli.output import OutputFormat, show, show_rows
from assay.cli.renter_options import Asking, Connection, LeaseId, Output, note, renter_command
from assay.renter.downtime import DowntimeFound
from assay.renter.errors import BadInput
from assay.renter.lease_rights import require_endable, require_own, require_running
from assay.renter.money import deposit_for, parse_amount, parse_duration, show_amount

if TYPE_CHECKING:
    from assay.renter.renter import Renter
    from assay.renter.wallet import Done

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Downtimes = Annotated[bool, typer.Option("--downtime/--no-downtime", help="also claim downtime that reports attest")]
PastMissing = Annotated[
    bool, typer.Option("--past-missing", help="give up downtime whose line nobody serves, to claim what came later now")
]
OPEN = (LeaseStatus.PENDING, LeaseStatus.ACTIVE)


@renter_command(commands, "leases")
async def leases(
    connection: Connection,
    lease: Annotated[int | None, typer.Argument(help="one lease in full; all of this wallet's without", min=1)] = None,
    all_: Annotated[bool, typer.Option("--all", help="also those that are over")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """List this wallet's leases and their money."""
    from assay.cli.renter_rows import LEASE_COLUMNS
    from assay.cli.renter_texts import lease_text, symbols_of

    async with connection.renter() as renter:
        if lease is not None:
            row = await _row(renter, await renter.lease(lease))
            if output is OutputFormat.table:
                row = lease_text(row, (await symbols_of(renter.chain, [row["token"]]))[row["token"]])
            return show(row, output)
        own = [one for one in await renter.own_leases() if all_ or one.status in OPEN]
        rows = await asyncio.gather(*(_row(renter, one) for one in own))
    show_rows("leases", rows, LEASE_COLUMNS, output)
    if not rows:
        note("no lease is open" + ("" if all_ else "; `assay leases --all` lists those that are over, too"))


@renter_command(commands, "top-up")
async def top_up(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    amount: Annotated[str | None, typer.Argument(help="whole tokens to add")] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="add what this long costs: 1h")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Add to the deposit, so that the lease lasts longer."""
    from assay.cli.renter_rows import PLAN_COLUMNS, planned_json, transactions_json
    from assay.cli.renter_texts import moment

    if (amount is None) == (duration is None):
        raise BadInput("say how much: an amount of whole tokens, or --duration")
    async with connection.renter() as renter:
        found = await renter.lease(lease)
        require_own(found, renter.address)
        require_running(found, time.time(), "a top-up")
        token = Erc20(renter.chain, found.token)
        decimals = await token.decimals()
        added = parse_amount(amount, decimals) if amount else deposit_for(found.rate, parse_duration(str(duration)))
        if asking.dry_run:
            planned = planned_json(await renter.plan_top_up(lease, added))
            return show_rows("transactions", planned, PLAN_COLUMNS, output)
        asking.confirm(f"Add {show_amount(added, decimals)} {await token.symbol()} to lease {lease}?")
        done = await renter.top_up(lease, added)
        stop = (await renter.lease(lease)).stop
    values: dict[str, Any] = {"leaseId": lease, "added": show_amount(added, decimals)}
    values |= {"stop": moment(stop) if output is OutputFormat.table else stop, "secondsAdded": stop - found.stop}
    show({**values, "transactions": transactions_json(done)}, output)


@renter_command(commands, "end")
async def end(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    refund: Annotated[bool, typer.Option("--refund/--no-refund", help="also collect the rest of the deposit")] = True,
    downtime: Downtimes = True,
    past_missing: PastMissing = False,
    output: Output = OutputFormat.table,
) -> None:
    """End a lease now and collect what is left of its deposit; one that has not started is cancelled.

    Attested downtime is claimed first: beyond the escrow's maximum it frees of the least duration.
    """
    from assay.cli.renter_rows import PLAN_COLUMNS, downtime_json, planned_json, transactions_json

    async with connection.renter() as renter:
        if asking.dry_run:
            plan = await renter.plan_downtime(lease, past_missing) if downtime else []
            plan += [*await renter.plan_end(lease), *(await renter.plan_refund(lease) if refund else [])]
            return show_rows("transactions", planned_json(plan), PLAN_COLUMNS, output)
        found = await renter.lease(lease)
        require_endable(found, renter.address)
        # What is left of a deposit is the renter's, also where the provider ends the lease.
        refund = refund and found.renter.lower() == renter.address.lower()
        free = downtime and await renter.leaves_free(lease)
        asking.confirm(await _ending(renter, lease, free))
        # What a missing line may hold is worth less than leaving free.
        past_missing = past_missing or free
        found_down, done = await _claim_downtime(renter, lease, past_missing) if downtime else (DowntimeFound(), [])
        done, refunded = [*done, await renter.end(lease)], 0
        if refund and await renter.refundable(lease):
            refunded, sent = await renter.refund(lease)
            done.append(sent)
        found = await renter.lease(lease)
        decimals = await Erc20(renter.chain, found.token).decimals()
        streamed = await renter.streamed(lease)
    values = {
        "leaseId": lease,
        "status": found.status.name.lower(),
        "paid": show_amount(streamed, decimals),
        "refunded": show_amount(refunded, decimals),
        "downtime": downtime_json(found_down, decimals),
    }
    show({**values, "transactions": transactions_json(done)}, output)


@renter_command(commands, "refund")
async def refund(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    receiver: Annotated[str | None, typer.Option("--receiver", help="who is paid; default the wallet")] = None,
    downtime: Downtimes = True,
    past_missing: PastMissing = False,
    output: Output = OutputFormat.table,
) -> None:
    """Collect what the escrow owes back: the rest of a deposit, a forfeited bond, downtime that reports attest."""
    from assay.cli.renter_rows import PLAN_COLUMNS, downtime_json, planned_json, transactions_json
    from assay.protocol.hexadecimal import parse_address

    to = parse_address(receiver, "--receiver") if receiver else None
    async with connection.renter() as renter:
        if asking.dry_run:
            plan = await renter.plan_downtime(lease, past_missing) if downtime else []
            if not plan and not await renter.refundable(lease):
                raise BadInput(f"nothing of lease {lease} is refundable now")
            plan += await renter.plan_refund(lease, to)
            return show_rows("transactions", planned_json(plan), PLAN_COLUMNS, output)
        found, done = await _claim_downtime(renter, lease, past_missing) if downtime else (DowntimeFound(), [])
        amount, paid = await renter.refund(lease, to)
        decimals = await Erc20(renter.chain, (await renter.lease(lease)).token).decimals()
    values = {"leaseId": lease, "refunded": show_amount(amount, decimals), "baseUnits": str(amount)}
    values["downtime"] = downtime_json(found, decimals)
    show({**values, "transactions": transactions_json([*done, paid])}, output)


async def _claim_downtime(renter: Renter, lease: int, past_missing: bool) -> tuple[DowntimeFound, list[Done]]:
    """Has attested downtime credited; says on standard error what was, and what nobody serves."""
    found, done = await renter.refund_downtime(lease, past_missing)
    for one in found.claimable:
        note(f"epoch {one.epoch}: the reports attest {one.seconds} s of downtime, claimed")
    _tell_missing(found)
    return found, done


def _tell_missing(found: DowntimeFound) -> None:
    if found.missing:
        epochs = ", ".join(str(epoch) for epoch in found.missing)
        note(f"nobody serves this device's line of epoch {epochs}: downtime there, if any, was not claimed")
    if found.held:
        from assay.cli.renter_texts import moment

        held = ", ".join(str(one.epoch) for one in found.held)
        note(
            f"epoch {held} is held back for it, since claiming it first would give up what comes before: refund again "
            f"once it is served, or from {moment(found.without_from)} to {moment(found.without_to)} without it; "
            "--past-missing claims now"
        )


async def _row(renter: Renter, lease: Lease) -> dict[str, Any]:
    from assay.cli.renter_rows import lease_json

    streamed, decimals = await asyncio.gather(
        renter.streamed(lease.lease_id), Erc20(renter.chain, lease.token).decimals()
    )
    return lease_json(lease, streamed, decimals, time.time())


async def _ending(renter: Renter, lease_id: int, free: bool) -> str:
    """What ending costs, as a question."""
    lease = await renter.lease(lease_id)
    if free:
        return (
            f"End lease {lease_id}? Its device was down for longer than the escrow allows: it ends free, with the bond."
        )
    left = lease.start + lease.min_duration - int(time.time())
    if lease.status is LeaseStatus.ACTIVE and left > 0:
        decimals = await Erc20(renter.chain, lease.token).decimals()
        cost = show_amount(deposit_for(lease.rate, left), decimals)
        return f"End lease {lease.lease_id}? It was leased for {lease.min_duration} s at least: {cost} more is paid."
    return f"End lease {lease.lease_id}?"
