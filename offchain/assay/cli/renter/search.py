"""`assay search` and `assay quote`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.chain.errors import ChainError
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Connection, DeviceId, Duration, Filters, Here, Output, place_named, renter_command
from assay.protocol.leases import MAX_DEVICES
from assay.renter.errors import MarketWrong, NoDevice, ProviderRefused, Unreachable
from assay.renter.market.search import Order
from assay.renter.money.amounts import parse_duration

if TYPE_CHECKING:
    from assay.renter.market.listing import Listing

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Sort = Annotated[Order, typer.Option("--sort", help="sort order")]
MAX_DOUBTS = 5
CLEAR = "\x1b[H\x1b[2J"
PASSING = (Unreachable, ProviderRefused, NoDevice, ChainError)  # what may be otherwise at the next look


def _clock() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


@renter_command(commands, "search")
async def search(
    connection: Connection,
    filters: Filters,
    duration: Annotated[str | None, typer.Option("--duration", help="how long you want it: 2h")] = None,
    sort: Sort = Order.best,
    here: Here = None,
    limit: Annotated[int, typer.Option("--limit", help="maximum number of lines", min=1, max=10_000)] = 50,
    spread: Annotated[int, typer.Option("--spread", help="find this many, each at a different site", min=0)] = 0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="check a market's answers against the chain; without a market everything is checked"
        ),
    ] = False,
    watch: Annotated[float, typer.Option("--watch", help="repeat every so many seconds", min=0)] = 0,
    output: Output = OutputFormat.table,
) -> None:
    """List measured devices that can be leased, alone or several together."""
    from assay.chain.contracts.erc20 import symbols_of
    from assay.cli.renter.rows import LISTING_COLUMNS, LISTING_FIELDS, listing_json, listing_text
    from assay.renter.market.placement import spread as spread_apart

    wanted, place = filters.wanted(duration), place_named(here)
    async with connection.renter() as renter:

        async def look() -> list[Listing]:
            found = await renter.search(wanted, sort, verify=verify, limit=10_000 if spread else limit)
            if spread:
                found = spread_apart(found, spread)
            symbols = await symbols_of(renter.chain, (one.token for one in found))
            if watch and output is OutputFormat.table:
                counted = "1 offer" if len(found) == 1 else f"{len(found)} offers"
                sys.stdout.write((CLEAR if sys.stdout.isatty() else "") + f"{_clock()}, {counted}\n")
            rows = [listing_json(one, symbols[one.token], place) for one in found]
            doubted = [row for row in rows if row["regionDoubt"]]
            rows = [listing_text(row) for row in rows] if output is OutputFormat.table else rows
            show_rows("devices", rows, LISTING_COLUMNS, output, LISTING_FIELDS)
            sys.stdout.flush()
            for row in doubted[:MAX_DOUBTS]:
                note(f"{row['shortId']}… is nearer than the region that it declares: it {row['regionDoubt']}")
            if (more := len(doubted) - MAX_DOUBTS) > 0:
                note(f"{more} more offers are nearer than they declare")
            return found

        found = await look()
        while watch:
            await asyncio.sleep(watch)
            try:
                found = await look()
            except PASSING as error:
                note(f"{_clock()}, {error}; retrying in  {watch:g} s")
    if not found:
        note("no offer matches: use fewer filters, or run `assay doctor` if there should be some")
    if doubts := [one for one in found if one.doubt]:
        raise MarketWrong(f"{len(doubts)} of {len(found)} offers differ from what the market says: {doubts[0].doubt}")


@renter_command(commands, "show")
async def show_device(
    device: DeviceId,
    connection: Connection,
    gpus: Annotated[int, typer.Option("--gpus", help="number of devices leased together", min=1, max=MAX_DEVICES)] = 1,
    output: Output = OutputFormat.table,
) -> None:
    """Show an offer's data sheet, and who vouches for each value; with a market, also what renters measured inside
    their leases."""
    from assay.chain.contracts.erc20 import symbols_of
    from assay.cli.renter.rows import SHEET_COLUMNS, listing_json, sheet_rows

    async with connection.renter() as renter:
        listing = await renter.listing(await renter.device_id(device), gpus)
        symbol = (await symbols_of(renter.chain, [listing.token]))[listing.token]
        said = await renter.testimony(listing.device_ids) if renter.market else {}
    if output is OutputFormat.json:
        testimony = {name: value.to_json() for name, value in said.items()}
        return show({**listing_json(listing, symbol), "testimony": testimony}, output)
    show_rows("sheet", sheet_rows(listing.sheet, said), SHEET_COLUMNS, output)


@renter_command(commands, "quote")
async def quote(
    device: DeviceId,
    connection: Connection,
    gpus: Annotated[int, typer.Option("--gpus", help="number of devices leased together", min=1, max=MAX_DEVICES)] = 1,
    duration: Duration = "1h",
    output: Output = OutputFormat.table,
) -> None:
    """Ask a provider for a private price for this wallet."""
    from assay.chain.contracts.erc20 import symbols_of
    from assay.cli.renter.rows import listing_json
    from assay.cli.renter.texts import amounts_in, moment
    from assay.protocol.rates import cost
    from assay.renter.money.amounts import rounded

    seconds = parse_duration(duration)
    async with connection.renter() as renter:
        public = await renter.listing(await renter.device_id(device), gpus)
        private = await renter.quote(public.device_ids, seconds)
        symbol = (await symbols_of(renter.chain, [private.token]))[private.token]
    saved = 0 if not public.rate else float(100 * (public.rate - private.rate) / public.rate)
    told = amounts_in(output)
    values: dict[str, Any] = {
        **listing_json(private, symbol),
        "seconds": seconds,
        "cost": told(cost(private.rate, seconds), private.decimals),
        "publicCost": told(cost(public.rate, seconds), public.decimals),
        "discountPercent": round(saved, 2),
    }
    del values["sheet"], values["roundTripMs"], values["model"], values["region"], values["regionDoubt"]
    if output is OutputFormat.table:
        values["validUntil"] = moment(private.valid_until)
        values |= {name: f"{values[name]} {symbol}" for name in ("cost", "publicCost")}
        values["price"] = f"{rounded(values['pricePerHour'], 2)} {symbol}"
        values["pricePerGpuHour"] = rounded(values["pricePerGpuHour"], 2)
        values["notice"] = values["noticeText"] or "none"
        for exact in ("shortId", "uptimeBps", "rate", "pricePerHour", "symbol", "noticeText", "offerHash"):
            del values[exact]
    show(values, output)
