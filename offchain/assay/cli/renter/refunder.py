"""`assay refunder`: who else may submit the downtime of this wallet's leases."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Asking, Connection, Output, renter_command

commands = typer.Typer(
    help="Manage who else may submit downtime of this wallet's leases.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
Agent = Annotated[str, typer.Argument(help="address of the account")]


@renter_command(commands, "add")
async def add(agent: Agent, connection: Connection, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Let an account submit downtime of this wallet's leases. It can move no money; the renter is credited."""
    await _name(agent, True, connection, asking, output)


@renter_command(commands, "remove")
async def remove(agent: Agent, connection: Connection, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Withdraw that permission."""
    await _name(agent, False, connection, asking, output)


@renter_command(commands, "list")
async def list_refunders(connection: Connection, output: Output = OutputFormat.table) -> None:
    """List them."""
    async with connection.renter() as renter:
        found = await renter.refunders()
    show_rows("refunders", [{"agent": agent} for agent in found], {"agent": "account"}, output)
    if not found:
        note("only this wallet; `assay refunder add ADDRESS` adds an account")


async def _name(agent: str, may: bool, connection: Connection, asking: Asking, output: OutputFormat) -> None:
    from assay.cli.renter.rows import PLAN_COLUMNS, planned_json, transactions_json
    from assay.protocol.hexadecimal import parse_address

    whom = parse_address(agent, "ADDRESS")
    async with connection.renter() as renter:
        if asking.dry_run:
            planned = planned_json(await renter.show(renter.plan_name_refunder(whom, may)))
            return show_rows("transactions", planned, PLAN_COLUMNS, output)
        what = "Let {} submit the downtime of" if may else "Let {} no longer submit the downtime of"
        asking.confirm(f"{what.format(whom)} {renter.address}'s leases?")
        done = await renter.name_refunder(whom, may)
        values = {"renter": renter.address, "agent": whom, "may": may}
    show({**values, "transactions": transactions_json([done])}, output)
