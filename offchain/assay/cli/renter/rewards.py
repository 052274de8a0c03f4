"""`assay rewards`: what the network owes a provider or a validator, and claiming it."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.options import Asking, Connection, Output, renter_command

commands = typer.Typer(
    help="Show and claim the network rewards of a provider or validator.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@renter_command(commands, "show")
async def show_rewards(
    connection: Connection,
    output: Output = OutputFormat.table,
) -> None:
    """Show what an account has earned and claimed, what it can claim now, and what later."""
    from assay.cli.renter.reward_rows import network_token, rewards_json, rewards_text

    async with connection.renter() as renter:
        found = await renter.rewards()
        decimals, symbol = await network_token(renter.chain)
    show(rewards_text(found, decimals, symbol) if output is OutputFormat.table else rewards_json(found), output)
    if found.newest is None:
        note(f"no report names {found.account}: it needs a device or a seat that passed an epoch")


@renter_command(commands, "claim")
async def claim(
    connection: Connection,
    asking: Asking,
    receiver: Annotated[
        str | None, typer.Option("--receiver", help="account to pay; default the one that earned it")
    ] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Claim the rewards that are due to the account of --key-file: a provider's, or one that holds a seat."""
    from assay.cli.renter.reward_rows import network_token
    from assay.cli.renter.rows import PLAN_COLUMNS, planned_json, transactions_json
    from assay.cli.renter.texts import amounts_in
    from assay.protocol.hexadecimal import parse_address
    from assay.renter.money.amounts import amount_text

    to = parse_address(receiver, "--receiver") if receiver else None
    async with connection.renter() as renter:
        found = await renter.rewards()
        plan = renter.plan_claim_rewards(found, to)
        if asking.dry_run:
            return show_rows("transactions", planned_json(await renter.show(plan)), PLAN_COLUMNS, output)
        decimals, symbol = await network_token(renter.chain)
        asking.confirm(f"Claim {amount_text(found.due, decimals)} {symbol} for {to or renter.address}?")
        done = await renter.claim_rewards(found, to)
    values = {
        "account": found.account,
        "receiver": to or found.account,
        "claimed": amounts_in(output)(found.due, decimals),
    }
    show({**values, "baseUnits": str(found.due), "transactions": transactions_json([done])}, output)
