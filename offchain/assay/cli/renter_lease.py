"""`assay lease`: one lease in full."""

from __future__ import annotations

import typer

from assay.chain.erc20 import Erc20
from assay.cli.output import OutputFormat, show
from assay.cli.renter_options import Connection, LeaseId, Output, renter_command

commands = typer.Typer(help="One lease in full.", no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@commands.callback()
def group() -> None:
    """One lease in full."""


@renter_command(commands, "show")
async def show_lease(lease: LeaseId, connection: Connection, output: Output = OutputFormat.table) -> None:
    """Show one lease: its devices, its money, notice, downtime, and what leaving it now costs."""
    from assay.chain.erc20 import symbols_of
    from assay.cli.renter_rows import lease_json
    from assay.cli.renter_texts import lease_text

    async with connection.renter() as renter:
        view = await renter.view(lease)
        row = lease_json(view, await Erc20(renter.chain, view.lease.token).decimals())
        if output is OutputFormat.table:
            row = lease_text(row, (await symbols_of(renter.chain, [row["token"]]))[row["token"]])
    show(row, output)
