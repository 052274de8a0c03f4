"""`assay wallet` and `assay doctor`."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.chain.key_files import create, password
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Connection, Output, renter_command
from assay.cli.renter.texts import amounts_in
from assay.renter.contexts import home_filled
from assay.renter.errors import BadInput, NotInOrder

TOKENS = ("NetworkToken", "TestToken")
commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@renter_command(commands, "wallet")
async def wallet(
    connection: Connection,
    token: Annotated[list[str] | None, typer.Option("--token", help="address of a token; repeat for more")] = None,
    create_file: Annotated[
        Path | None, typer.Option("--create", help="create a wallet in this encrypted key file")
    ] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Show the wallet's address and balances, or create a wallet."""
    from assay.protocol.hexadecimal import parse_address

    if create_file is not None:
        key = create(home_filled(create_file), _new_password(connection.settings().password_file))
        note(f"keep {create_file} and its password safe: without both, the wallet's funds are lost")
        return show({"address": key.address, "keyFile": str(create_file)}, output)
    named = [parse_address(one, "--token") for one in token or []]
    async with connection.renter() as renter:
        known = [c.address for name, c in renter.chain.deployment.contracts.items() if name in TOKENS]
        held = await renter.holdings([*known, *(one for one in named if one not in known)])
        address = renter.address
    shown = {symbol: amounts_in(output)(amount, decimals) for symbol, (amount, decimals) in held.items()}
    show({"address": address, **shown}, output)


@renter_command(commands, "doctor")
async def doctor(connection: Connection, output: Output = OutputFormat.table) -> None:
    """Check everything that renting needs: chain, validators, providers, market, wallet, programs."""
    from assay.renter.health import examine

    findings = await examine(connection.settings())
    words = {True: "ok", False: "FAILED", None: "remark"}
    rows = [{"check": one.name, "result": words[one.ok], "detail": one.detail} for one in findings]
    show_rows("checks", rows, {"check": "check", "result": "result", "detail": "detail"}, output)
    if failed := [one.name for one in findings if one.ok is False]:
        raise NotInOrder(f"problems found: {', '.join(failed)}")


def _new_password(file: Path | None) -> str:
    """From a file, else typed twice. Raises BadInput for two that differ, and for an empty one."""
    chosen = password(file)
    if file is None and sys.stdin.isatty() and getpass.getpass("Once more: ") != chosen:
        raise BadInput("the two passwords differ; no wallet was made")
    if not chosen:
        raise BadInput("the password is empty; no wallet was made")
    return chosen
