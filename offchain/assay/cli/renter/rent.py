"""`assay rent`: choose, ask, pay a deposit, have the device prove itself, verify, start."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.errors import ChainError
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.keeping import Keeping, keep_lease
from assay.cli.renter.options import Asking, Connection, Duration, Filters, Here, Output, place_named, renter_command
from assay.cli.renter.pods.checking import checked_or_ended
from assay.cli.renter.pods.options import PodOptions
from assay.cli.renter.several import joined, placement, rent_each
from assay.protocol.hexadecimal import to_hex
from assay.protocol.rates import cost
from assay.renter.errors import BadInput, RenterError
from assay.renter.market.search import Order
from assay.renter.money.amounts import amount_text, parse_duration, rounded

if TYPE_CHECKING:
    from assay.renter.lease.steps import Step
    from assay.renter.market.listing import Listing
    from assay.renter.money.wallet import Minima
    from assay.renter.renter import Renter
    from assay.wire.pods import PodBody

ONE = "1"  # what --gpus is where it is not given
A_MINUTE = 60  # the least that any lease is paid for
commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@renter_command(commands, "rent")
async def rent(
    connection: Connection,
    filters: Filters,
    asking: Asking,
    keeping: Keeping,
    pod: PodOptions,
    device: Annotated[str | None, typer.Argument(help="device id, or its first digits; default the best match")] = None,
    duration: Duration = "1h",
    sort: Annotated[Order, typer.Option("--sort", help="what makes a match the best")] = Order.best,
    here: Here = None,
    spread: Annotated[int, typer.Option("--spread", help="rent this many, each at a different site", min=0)] = 0,
    nodes: Annotated[
        int,
        typer.Option("--nodes", help="rent this many alike at one site, with pods that reach each other", min=0),
    ] = 0,
    quote: Annotated[bool, typer.Option("--quote", help="take a private price for this wallet")] = False,
    lease: Annotated[
        int | None,
        typer.Option("--lease", help="continue with a lease that was opened elsewhere or interrupted", min=1),
    ] = None,
    open_only: Annotated[
        bool, typer.Option("--open-only", help="only pay the deposit; prove and start later with --lease")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="check it from inside once it runs, and end it at once if it falls short"),
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Lease a device, or a node of --gpus N. Nothing streams before this machine has verified the proofs of all its
    devices, made at one instant; if one fails, the whole deposit is paid back. The escrow itself enforces --min-score
    and --min-proven-memory."""
    from assay.cli.renter.rows import PLAN_COLUMNS, planned_json, rented_json, short_id
    from assay.sheet.places import region_doubt

    seconds, minima = parse_duration(duration), filters.minima()
    if pod.given and open_only:
        raise BadInput("--open-only takes no image: give it later, with rent --lease N --image …")
    if check and open_only:
        raise BadInput("--check and --open-only exclude each other: there is no pod to check before the lease runs")
    if nodes and open_only:
        raise BadInput("--nodes and --open-only exclude each other")
    wanted, place = pod.wanted() if pod.given else None, place_named(here)
    async with connection.renter() as renter:
        if lease is not None:
            rented = await renter.resume(lease, tell_step, wanted, note)
            await _show(renter, [rented.lease.token], [rented_json(rented, rented.lease.deposit)], output)
            if check:
                await checked_or_ended(renter, [lease], keeping.wheels)
            if keeping.auto_topup:
                await keep_lease(renter, lease, keeping)
            return
        chosen = await _chosen(renter, filters, device, seconds, sort, spread, nodes)
        if quote:
            chosen = [await _quoted(renter, one, seconds) for one in chosen]
        if asking.dry_run:
            plans = [renter.plan_rent(one, cost(one.rate, seconds), minima) for one in chosen]
            planned = [one for plan in plans for one in await renter.show(plan)]
            return show_rows("transactions", planned_json(planned), PLAN_COLUMNS, output)
        for one in chosen:
            if one.provider_slashes:
                note(f"warning: {one.provider_slashes} devices of provider {one.provider} were slashed")
            if doubt := region_doubt(one.region, place, one.round_trip_ms):
                note(f"warning: {short_id(one.name)}… is nearer than the region that it declares: it {doubt}")
        asking.confirm(await _question(renter, chosen, seconds))
        done = await rent_each(
            renter,
            chosen,
            lambda one: _rent_one(renter, one, seconds, minima, open_only, wanted),
            together=bool(nodes),
        )
        failure = None
        if nodes:
            done, failure = await joined(renter, done)
        await _show(renter, [one.token for one in chosen], done, output)
        if failure is not None:
            raise failure
        if check:
            await checked_or_ended(renter, [int(one["leaseId"]) for one in done], keeping.wheels)
        if keeping.auto_topup and not open_only:
            await asyncio.gather(*(keep_lease(renter, int(one["leaseId"]), keeping) for one in done))


def tell_step(step: Step) -> None:
    """A line for people when a step is done."""
    note(f"{step.seconds:6.1f} s  {step.text}")


async def _chosen(
    renter: Renter, filters: Filters, device: str | None, seconds: int, sort: Order, spread: int, nodes: int
) -> list[Listing]:
    count, place = placement(device, spread, nodes)
    from assay.cli.renter.rows import price_text

    wanted = filters.wanted(f"{seconds}s", ONE)
    if device is None:
        return await renter.choose(wanted, sort, count, place)
    if wanted.max_gpus is None:
        raise BadInput(f"--gpus {filters.gpus}: with a named device, give the exact number")
    listing = await renter.listing(await renter.device_id(device), wanted.min_gpus, wanted.token)
    if not listing.min_duration <= seconds <= listing.max_duration:
        raise BadInput(f"{seconds} s: this offer is for {listing.min_duration} to {listing.max_duration} s")
    if wanted.max_price is not None and listing.price > wanted.max_price:
        raise BadInput(f"--max-price {wanted.max_price}: it is offered at {price_text(listing)} an hour")
    for option, shown, least in (
        ("--min-score", listing.score_gops, wanted.min_score),
        ("--min-proven-memory", listing.memory_mib, wanted.min_memory_mib),
        ("--min-expected", listing.of_expected_bps / 100, wanted.min_of_expected_bps / 100),
    ):
        if shown < least:
            raise BadInput(f"{option} {least}: in epoch {listing.epoch} the least of its devices showed {shown}")
    if listing.named.memory_gb < wanted.min_memory_gb > listing.memory_mib >> 10:
        raise BadInput(f"--min-memory {wanted.min_memory_gb}: it is sold as {listing.named.memory_gb} GB")
    if wanted.no_slashed and listing.provider_slashes:
        raise BadInput(f"--no-slashed: {listing.provider_slashes} devices of its provider were slashed")
    if wanted.firm and listing.notice:
        raise BadInput(f"--firm: its provider may end this offer {listing.notice} s after a notice")
    return [listing]


async def _quoted(renter: Renter, public: Listing, seconds: int) -> Listing:
    """The offer made to this wallet alone. Raises BadInput for one that is worse than the public one."""
    private = await renter.quote(public.device_ids, seconds)
    worse = {
        "rate": private.token != public.token or private.rate > public.rate,
        "least duration": private.min_duration > max(public.min_duration, seconds),
        "longest duration": private.max_duration < seconds,
        "notice": private.notice and (not public.notice or private.notice < public.notice),
    }
    if off := [name for name, is_worse in worse.items() if is_worse]:
        raise BadInput(
            f"the quote for {public.name} is worse than its public offer ({', '.join(off)}): leave --quote out"
        )
    return replace(private, model=public.model)


async def _question(renter: Renter, chosen: list[Listing], seconds: int) -> str:
    from assay.chain.contracts.erc20 import Erc20
    from assay.cli.renter.rows import price_text, short_id
    from assay.cli.renter.texts import duration_text

    lines, totals = [], dict[str, int]()
    for one in chosen:
        symbol = await Erc20(renter.chain, one.token).symbol()
        what = f"{one.model or 'a device'} ({short_id(one.name)}…), {one.score_gops} gops"
        count = f"{one.gpus} × " if one.gpus > 1 else ""
        notice = f", which its provider may end {duration_text(one.notice)} after a notice" if one.notice else ""
        least = f", at least {duration_text(one.min_duration)} of it paid" if one.min_duration > A_MINUTE else ""
        lines.append(f"{count}{what} at {rounded(price_text(one), 2)} {symbol} an hour{least}{notice}")
        totals[one.token] = totals.get(one.token, 0) + cost(one.rate, seconds)
    decimals = {one.token: one.decimals for one in chosen}
    sums = [
        f"{amount_text(total, decimals[token])} {await Erc20(renter.chain, token).symbol()}"
        for token, total in totals.items()
    ]
    for line in lines:
        note(line)
    return f"Pay a deposit of {' and '.join(sums)} for {duration_text(seconds)}? What is not used is paid back."


async def _rent_one(
    renter: Renter, listing: Listing, seconds: int, minima: Minima, open_only: bool, pod: PodBody | None
) -> dict[str, Any]:
    from assay.cli.renter.rows import rented_json, transactions_json

    deposit = cost(listing.rate, seconds)
    if open_only:
        lease, sent = await renter.open(listing, deposit, minima)
        return {
            "leaseId": lease.lease_id,
            "status": lease.status.name.lower(),
            "deviceId": listing.name,
            "gpus": listing.gpus,
            "deviceIds": [to_hex(device_id) for device_id in listing.device_ids],
            "deposit": str(deposit),
            "transactions": transactions_json(sent),
        }
    opened: list[Step] = []

    def on_step(step: Step) -> None:
        opened.append(step)
        tell_step(step)

    try:
        rented = await renter.rent(listing, deposit, minima, on_step, pod, note)
        return {**rented_json(rented, deposit), "seconds": seconds}
    except RenterError:
        if opened:
            note("nothing has streamed; the lease that was opened is cancelled and its deposit paid back")
        raise
    except (ChainError, asyncio.CancelledError):
        note(
            "renting was interrupted; `assay leases` shows whether a lease is pending. `assay rent --lease N` continues"
            " it, or pays the whole deposit back if its handover had begun; `assay end N` pays it back at once"
        )
        raise


async def _show(renter: Renter, tokens: list[str], done: list[dict[str, Any]], output: OutputFormat) -> None:
    from assay.chain.contracts.erc20 import Erc20, symbols_of
    from assay.cli.renter.texts import rented_text

    if len(done) == 1 and output is OutputFormat.table:
        symbols = await symbols_of(renter.chain, tokens)
        show(rented_text(done[0], await Erc20(renter.chain, tokens[0]).decimals(), symbols[tokens[0]]), output)
    elif len(done) == 1:
        show(done[0], output)
    elif output is OutputFormat.json:
        sys.stdout.write(json.dumps({"leases": done}) + "\n")
    else:
        columns = {"leaseId": "lease", "status": "status", "deviceId": "device", "gpus": "GPUs"}
        show_rows(
            "leases", done, {**columns, **({"rank": "rank", "address": "address"} if "rank" in done[0] else {})}, output
        )
    sys.stdout.flush()
    for one in done:
        if one["status"] == "active":
            note(f"assay ssh {one['leaseId']}    assay run {one['leaseId']} -- COMMAND    assay end {one['leaseId']}")
