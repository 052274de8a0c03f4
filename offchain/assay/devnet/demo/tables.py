"""The demo's outcome as tables for people."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.table import Table

from assay.devnet.demo.outcome import DemoOutcome
from assay.devnet.market_pages import MarketPages

NETWORK_TOKEN_DECIMALS = 18


def amount(base_units: int, decimals: int, places: int = 2) -> str:
    """Base units as a decimal number with thousands separated."""
    return f"{Decimal(base_units).scaleb(-decimals):,.{places}f}"


def short(identifier: str) -> str:
    """The two ends of a long hexadecimal string."""
    return f"{identifier[:8]}…{identifier[-4:]}"


def print_outcome(console: Console, outcome: DemoOutcome) -> None:
    """Devices and scores, gas, stakes before and after, the lease's money."""
    for table in (_devices(outcome), _gas(outcome), _stakes(outcome), _lease(outcome)):
        console.print()
        console.print(table)


def print_pages(console: Console, pages: MarketPages) -> None:
    """Where to go on looking with the mouse."""
    lines = {
        "the market": pages.market,
        "the cheat, its evidence and its slash": pages.device,
        "the lease, from deposit to refund": pages.lease,
    }
    console.print("\nThe network stays up until Ctrl-C. In a browser:", highlight=False)
    for name, url in lines.items():
        console.print(f"  {name:40} {url}", highlight=False, soft_wrap=True)


def _devices(outcome: DemoOutcome) -> Table:
    table = Table(title=f"Devices, as reported on-chain for epoch {outcome.epoch}", title_justify="left")
    for column in ("device", "provider", "result"):
        table.add_column(column)
    table.add_column("GOPS", justify="right")
    table.add_column("uptime", justify="right")
    for one in outcome.devices:
        passed = one.flags == ["passed"]
        result = f"[{'green' if passed else 'red'}]{', '.join(one.flags) or 'none'}[/]"
        table.add_row(
            short(one.device_id), one.provider, result, f"{one.score_gops:,}", f"{one.uptime_bps / 100:.0f} %"
        )
    return table


def _gas(outcome: DemoOutcome) -> Table:
    table = Table(title="Transactions and gas (whole transactions)", title_justify="left")
    table.add_column("transaction")
    for column in ("count", "lowest", "median", "highest"):
        table.add_column(column, justify="right")
    for row in outcome.gas():
        table.add_row(row.name, str(row.count), f"{row.lowest:,}", f"{row.middle:,}", f"{row.highest:,}")
    return table


def _stakes(outcome: DemoOutcome) -> Table:
    table = Table(title="Stakes before and after, and what was earned", title_justify="left")
    table.add_column("account")
    for column in ("before", "after", "change", "earned"):
        table.add_column(column, justify="right")
    for one in outcome.stakes:
        change = one.after - one.before
        style = "red" if change < 0 else "default"
        table.add_row(
            one.name,
            amount(one.before, NETWORK_TOKEN_DECIMALS),
            amount(one.after, NETWORK_TOKEN_DECIMALS),
            f"[{style}]{amount(change, NETWORK_TOKEN_DECIMALS)}[/]",
            amount(one.earned, NETWORK_TOKEN_DECIMALS),
        )
    slash = outcome.slash
    where = ", ".join(f"{name} = {value}" for name, value in slash.element.items())
    taken, bounty, burned = (
        amount(units, NETWORK_TOKEN_DECIMALS) for units in (slash.amount, slash.bounty, slash.burned)
    )
    table.caption = (
        f"{slash.provider} was slashed {taken} by {slash.kind} ({where}); after {slash.held_seconds} s on hold, "
        f"in which governance could have given it back, bounty {bounty} to {slash.reporter}, {burned} burned"
    )
    table.caption_justify = "left"
    return table


def _lease(outcome: DemoOutcome) -> Table:
    lease = outcome.lease
    title = f"Lease {lease.lease_id}, {lease.devices} devices of {lease.provider}, paid by the second in {lease.token}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column(lease.token, justify="right")
    rows = {
        "deposit by the renter": lease.deposit,
        f"streamed in {lease.seconds} s": lease.streamed,
        f"claimed by {lease.operator} for {lease.paid_to}, after the fee": lease.claimed,
        "fee": lease.fee,
        f"bond, out of the credit of {lease.provider}": lease.bond,
        f"bond paid back to {lease.paid_to}": lease.bond_returned,
        "refunded to the renter": lease.refunded,
    }
    for name, value in rows.items():
        table.add_row(name, amount(value, lease.decimals, lease.decimals))
    table.caption = f"the job ended with status {lease.job_status} and printed: {lease.job_output.strip()}"
    table.caption_justify = "left"
    return table
