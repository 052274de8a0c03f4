"""`assay leases`, `top-up`, `end`, `refund`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.leases import LeaseStatus
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Asking, Connection, LeaseId, Output, renter_command
from assay.cli.renter.texts import amounts_in
from assay.protocol.rates import cost, streamed
from assay.renter.errors import BadInput
from assay.renter.lease.downtime import DowntimeFound
from assay.renter.lease.lease_rights import require_endable, require_leavable, require_own, require_running
from assay.renter.lease.leaving import Free, notice_over
from assay.renter.money.amounts import amount_text, moment, parse_amount, parse_duration

if TYPE_CHECKING:
    from assay.renter.lease.lease_views import LeaseView
    from assay.renter.money.wallet import Done
    from assay.renter.renter import Renter

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Downtimes = Annotated[bool, typer.Option("--downtime/--no-downtime", help="also claim attested downtime")]
WithHeld = Annotated[
    bool,
    typer.Option(
        "--with-held", help="also claim epochs in which one device's line is missing, by the lines of the others"
    ),
]
OPEN = (LeaseStatus.PENDING, LeaseStatus.ACTIVE)


@renter_command(commands, "leases")
async def leases(
    connection: Connection,
    lease: Annotated[int | None, typer.Argument(help="number of one lease; default all that are open", min=1)] = None,
    all_: Annotated[bool, typer.Option("--all", help="include leases that have ended")] = False,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="print the bill of that lease: stream, downtime, fee, each transaction")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """List this wallet's leases and their money, or show the bill of one."""
    from assay.cli.renter.rows import lease_json

    if receipt and lease is None:
        raise BadInput("--receipt needs the number of a lease; `assay leases --all` lists them")
    if lease is not None:
        return await _one(connection, lease, receipt, output)
    async with connection.renter() as renter:
        own = await renter.own_leases(None if all_ else lambda lease: lease.status in OPEN)
        decimals = {token: await Erc20(renter.chain, token).decimals() for token in {one.lease.token for one in own}}
    rows = [lease_json(one, decimals[one.lease.token]) for one in own]
    _show_leases(rows, output)
    if not rows:
        note("no lease is open" + ("" if all_ else "; `assay leases --all` also lists those that have ended"))


async def _one(connection: Connection, lease: int, receipt: bool, output: OutputFormat) -> None:
    from assay.chain.contracts.erc20 import symbols_of
    from assay.cli.renter.receipts import show_receipt
    from assay.cli.renter.rows import lease_json

    async with connection.renter() as renter:
        if receipt:
            bill = await renter.receipt(lease)
            decimals = await Erc20(renter.chain, bill.lease.token).decimals()
            symbol = (await symbols_of(renter.chain, [bill.lease.token]))[bill.lease.token]
            return show_receipt(bill, decimals, symbol, output)
        view = await renter.view(lease)
        row = lease_json(view, await Erc20(renter.chain, view.lease.token).decimals())
    _show_leases([row], output)


def _show_leases(rows: list[dict[str, Any]], output: OutputFormat) -> None:
    from assay.cli.renter.rows import LEASE_COLUMNS, lease_row

    rows = [lease_row(row) for row in rows] if output is OutputFormat.table else rows
    show_rows("leases", rows, LEASE_COLUMNS, output)


@renter_command(commands, "top-up")
async def top_up(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    amount: Annotated[str | None, typer.Argument(help="whole tokens to add")] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="add the cost of this much time: 1h")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Add to the deposit, so that the lease lasts longer."""
    from assay.cli.renter.rows import PLAN_COLUMNS, planned_json, transactions_json

    if (amount is None) == (duration is None):
        raise BadInput("give an amount of whole tokens, or --duration")
    async with connection.renter() as renter:
        found = await renter.lease(lease)
        require_own(found, renter.address)
        require_running(found, time.time(), "a top-up")
        token = Erc20(renter.chain, found.token)
        decimals = await token.decimals()
        added = parse_amount(amount, decimals) if amount else cost(found.rate, parse_duration(str(duration)))
        if asking.dry_run:
            planned = planned_json(await renter.show(await renter.plan_top_up(lease, added)))
            return show_rows("transactions", planned, PLAN_COLUMNS, output)
        asking.confirm(f"Add {amount_text(added, decimals)} {await token.symbol()} to lease {lease}?")
        done = await renter.top_up(lease, added)
        stop = (await renter.lease(lease)).stop
    values: dict[str, Any] = {"leaseId": lease, "added": amounts_in(output)(added, decimals)}
    values |= {"stop": moment(stop) if output is OutputFormat.table else stop, "secondsAdded": stop - found.stop}
    show({**values, "transactions": transactions_json(done)}, output)


@renter_command(commands, "end")
async def end(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    refund: Annotated[bool, typer.Option("--refund/--no-refund", help="also collect the rest of the deposit")] = True,
    downtime: Downtimes = True,
    with_held: WithHeld = False,
    output: Output = OutputFormat.table,
) -> None:
    """End a lease now and collect what is left of its deposit; one that has not started is cancelled.

    Attested downtime is claimed first: beyond the escrow's maximum it frees the renter from the minimum.
    """
    from assay.cli.renter.rows import PLAN_COLUMNS, downtime_json, planned_json, transactions_json
    from assay.renter.lease.planned import Plan

    async with connection.renter() as renter:
        view = await renter.view(lease)
        require_endable(view.lease, renter.address if not asking.dry_run else None)
        ours = asking.dry_run or view.lease.renter.lower() == renter.address.lower()
        # Downtime is the renter's, and so is what is left of a deposit, also where the provider ends the lease.
        downtime, refund = downtime and ours and view.lease.start > 0, refund and ours
        if asking.dry_run:
            plan = await renter.plan_downtime(lease, with_held) if downtime else Plan()
            plan += await renter.plan_end(lease)
            plan += await renter.plan_refund(lease) if refund else Plan()
            return show_rows("transactions", planned_json(await renter.show(plan)), PLAN_COLUMNS, output)
        found = await renter.downtime(lease) if downtime else DowntimeFound()
        found = found.with_held() if with_held else found
        freed = view.lease.downtime + found.seconds > view.max_downtime
        require_leavable(view.lease, freed or view.leaving.free is not None, moment(view.lease.stop))
        asking.confirm(await _ending(renter, view, ours, freed))
        credited, done = await _claim_downtime(renter, lease, with_held) if downtime else (DowntimeFound(), [])
        done, refunded = [*done, await renter.end(lease)], 0
        if refund and await renter.refundable(lease):
            refunded, sent = await renter.refund(lease)
            done.append(sent)
        view = await renter.view(lease)
        decimals = await Erc20(renter.chain, view.lease.token).decimals()
    told = amounts_in(output)
    values = {
        "leaseId": lease,
        "status": view.lease.status.name.lower(),
        "leftEarly": view.lease.left_early,
        "stop": moment(view.lease.stop) if output is OutputFormat.table else view.lease.stop,
        "streamed": told(view.streamed, decimals),
        "downtimeRefund": told(view.lease.downtime_refund, decimals),
        "paid": told(view.streamed - view.lease.downtime_refund - view.lease.forfeited, decimals),
        "refunded": told(refunded, decimals),
        "downtime": downtime_json(credited, decimals, told),
    }
    show({**values, "transactions": transactions_json(done)}, output)
    if view.lease.left_early:
        note(
            f"the minimum is paid until {moment(view.lease.stop)}; its downtime is still refunded until then, and may "
            f"set you free: `assay keep {lease}` sees to both"
        )


@renter_command(commands, "refund")
async def refund(
    lease: LeaseId,
    connection: Connection,
    asking: Asking,
    receiver: Annotated[str | None, typer.Option("--receiver", help="account to pay; default the wallet")] = None,
    downtime: Downtimes = True,
    with_held: WithHeld = False,
    output: Output = OutputFormat.table,
) -> None:
    """Collect what the escrow owes back: the rest of a deposit, a forfeited bond, downtime that reports attest.

    For another renter's lease only its downtime is submitted, by whom that renter has named.
    """
    from assay.cli.renter.rows import PLAN_COLUMNS, downtime_json, planned_json, transactions_json
    from assay.protocol.hexadecimal import parse_address
    from assay.renter.lease.planned import Plan

    to = parse_address(receiver, "--receiver") if receiver else None
    async with connection.renter() as renter:
        if asking.dry_run:
            plan = await renter.plan_downtime(lease, with_held) if downtime else Plan()
            if not plan.calls and not await renter.refundable(lease):
                raise BadInput(f"nothing of lease {lease} is refundable now")
            plan += await renter.plan_refund(lease, to)
            return show_rows("transactions", planned_json(await renter.show(plan)), PLAN_COLUMNS, output)
        of = await renter.lease(lease)
        found, done = await _claim_downtime(renter, lease, with_held) if downtime else (DowntimeFound(), [])
        amount = 0
        if of.renter.lower() == renter.address.lower():
            amount, paid = await renter.refund(lease, to)
            done.append(paid)
        elif not done:
            raise BadInput(f"no downtime of {of.renter}'s lease {lease} can be submitted now")
        decimals = await Erc20(renter.chain, of.token).decimals()
    values = {"leaseId": lease, "refunded": amounts_in(output)(amount, decimals), "baseUnits": str(amount)}
    values["downtime"] = downtime_json(found, decimals, amounts_in(output))
    show({**values, "transactions": transactions_json(done)}, output)


async def _claim_downtime(renter: Renter, lease: int, with_held: bool) -> tuple[DowntimeFound, list[Done]]:
    """Has attested downtime credited; says on standard error what was, and what was not."""
    found, done = await renter.refund_downtime(lease, with_held)
    for one in found.claimable:
        note(f"epoch {one.epoch}: the reports attest {one.seconds} s of downtime, claimed")
    for epoch, device_id in found.missing:
        note(f"epoch {epoch}: nobody serves the line of device 0x{device_id.hex()}")
    for one in found.held:
        note(
            f"epoch {one.epoch}: {one.seconds} s of downtime held back, since that device may have been down for "
            "longer and each epoch counts once: refund again once its line is served, by "
            f"{moment(one.until)} at the latest; --with-held claims now"
        )
    for epoch, reason in found.refused:
        note(f"epoch {epoch}: the escrow takes no downtime: {reason}")
    if found.pending:
        note(f"not reported yet: epoch {', '.join(str(epoch) for epoch in found.pending)}")
    return found, list(done)


async def _ending(renter: Renter, view: LeaseView, ours: bool, freed: bool) -> str:
    """What ending costs whoever ends it, as a question."""
    lease, way = view.lease, view.leaving
    asked = f"End lease {lease.lease_id}?"
    free = way.free or (Free.downtime if freed else None)
    if free in (Free.pending, Free.over, Free.minimum):
        return asked
    token = Erc20(renter.chain, lease.token)
    decimals, symbol = await asyncio.gather(token.decimals(), token.symbol())
    if not ours:
        left = max(0, lease.start + lease.min_duration - view.now)
        if lease.notice_at and notice_over(lease) <= view.now:
            return f"{asked} The notice is over: nothing is forfeited."
        forfeit = amount_text(streamed(lease.rate, left), decimals)
        return f"{asked} {left} s of its minimum are not served: {forfeit} {symbol} of the bond go to the renter."
    if free is not None:
        return f"{asked} It costs nothing more: {free}."
    cost, until = f"{amount_text(way.cost, decimals)} {symbol}", moment(way.free_from)
    return (
        f"{asked} It was leased for {lease.min_duration} s at least: {cost} more is paid, until {until}. "
        f"It becomes free then, after {way.downtime_left} s more of attested downtime, by a notice, or if a device is "
        "slashed."
    )
