"""`assay provider operator` and `payout`: keys that act for a provider whose own key stays offline."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, fail, note, show, show_rows
from assay.cli.provider.endings import finish
from assay.cli.provider.options import Output, ReadingOptions, SendingOptions
from assay.cli.provider.orders import OrderPlan, order
from assay.cli.renter.options import Asking
from assay.provider.errors import BadProviderSetting

if TYPE_CHECKING:
    from assay.chain.contracts.operators import OperatorScope
    from assay.provider.account.authority import Authority
    from assay.provider.settings import ProviderSettings

commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Keys that act for a provider: they hold gas and reach no stake.",
)
COLUMNS = {"operator": "operator", "scopes": "scopes", "until": "until", "valid": "may act now"}
ALL = "offer,start,end,claim,endpoint"
LAST = (1 << 40) - 1
Address = Annotated[str, typer.Argument(help="address of the operator's key")]


@commands.command()
@with_options
def add(
    operator: Address,
    given: SendingOptions,
    asking: Asking,
    scopes: Annotated[str, typer.Option("--scopes", help=f"some of {ALL}")] = ALL,
    until: Annotated[str, typer.Option("--until", help="a duration from now, 90d, or a day, 2030-12-31")] = "90d",
    output: Output = OutputFormat.table,
) -> None:
    """Appoint an operator, or change what it may do."""
    appointment(given, asking, output, operator, scopes, until)


def appointment(
    given: SendingOptions, asking: Asking, output: OutputFormat, operator: str, scopes: str, until: str
) -> str:
    """Appoints it, or prints the transaction; the provider's address."""
    named_provider: list[str] = []

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.rpc.client import ContractCall
        from assay.protocol.hexadecimal import parse_address
        from assay.provider.account.authority import scope_names

        address, what, last = parse_address(operator, "operator"), _scopes(scopes), _until(until)
        named_provider.append(authority.provider)
        if address.lower() == authority.provider.lower():
            raise BadProviderSetting(f"{address} is the provider itself: an operator has a key of its own")
        call = ContractCall("DeviceRegistry", "setOperator", (address, int(what), last))
        named = scope_names(what)
        question = f"Let {address} {named.replace(',', ', ')} for {authority.provider} until {_moment(last)}?"
        return OrderPlan([call], question, {"operator": address, "scopes": named, "until": last})

    order(given, asking, output, prepare, own_key=True)
    return named_provider[0]


@commands.command()
@with_options
def remove(operator: Address, given: SendingOptions, asking: Asking, output: Output = OutputFormat.table) -> None:
    """Revoke an operator: at once, the offers that it has signed included."""

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.contracts.operators import read_operator
        from assay.chain.rpc.client import ContractCall
        from assay.protocol.hexadecimal import parse_address

        address = parse_address(operator, "operator")
        if not (await read_operator(authority.chain, authority.provider, address, "latest")).scopes:
            raise BadProviderSetting(f"{address} is no operator of {authority.provider}")
        call = ContractCall("DeviceRegistry", "setOperator", (address, 0, 0))
        question = f"Revoke {address}? It can offer, start, end and claim nothing for {authority.provider} any more."
        return OrderPlan([call], question, {"operator": address, "scopes": "none"})

    order(given, asking, output, prepare, own_key=True)


@commands.command(name="list")
@with_options
def list_operators(given: ReadingOptions, output: Output = OutputFormat.table) -> None:
    """List everybody who was ever appointed, and what they may do now."""

    async def work() -> tuple[str, list[dict[str, Any]]]:
        from assay.provider.account.standing import operators_of
        from assay.provider.reading import reading

        async with reading(given.settings()) as authority:
            return authority.provider, await operators_of(authority.chain, authority.provider)

    provider, rows = finish(work())
    if output is OutputFormat.table:
        rows = [{**row, "until": _moment(row["until"]), "valid": "yes" if row["valid"] else "no"} for row in rows]
    show_rows("operators", rows, COLUMNS, output, tuple(COLUMNS))
    if not rows:
        note(f"{provider} has no operator: `assay provider operator add` appoints one")


@with_options
def payout(
    given: SendingOptions,
    asking: Asking,
    address: Annotated[str | None, typer.Argument(help="where operators' claims go; without it, shows where")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="to the provider itself")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Show or set the address that rent and bonds are paid to when an operator claims them."""

    async def now() -> dict[str, Any]:
        from assay.provider.reading import reading

        async with reading(given.settings()) as authority:
            return {"provider": authority.provider, "payout": await authority.payout()}

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.rpc.client import ContractCall
        from assay.protocol.hexadecimal import ZERO_ADDRESS, parse_address

        to = parse_address(address, "payout") if address else ZERO_ADDRESS
        shown = {"provider": authority.provider, "payout": to if address else authority.provider}
        question = f"Pay what operators claim for {authority.provider} to {shown['payout']}?"
        return OrderPlan([ContractCall("DeviceRegistry", "setPayout", (to,))], question, shown)

    if address is not None and reset:
        fail("an address, or --reset, not both")
    if address is None and not reset:
        return show(finish(now()), output)
    order(given, asking, output, prepare, own_key=True)


def _scopes(text: str) -> OperatorScope:
    """The scopes named. Raises BadSetting."""
    from assay.chain.contracts.operators import OperatorScope

    found = OperatorScope(0)
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in ALL.split(","):
            raise BadProviderSetting(f"--scopes {name!r}: some of {ALL}, joined by commas")
        found |= OperatorScope[name.upper()]
    if not found:
        raise BadProviderSetting(
            f"--scopes {text!r}: at least one of {ALL}; `assay provider operator remove` takes all"
        )
    return found


def _until(text: str) -> int:
    """The last second of an appointment, since 1970. Raises BadSetting."""
    from assay.renter.errors import BadInput
    from assay.renter.money.amounts import parse_duration

    now = int(time.time())
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC, hour=23, minute=59, second=59)
            last = int(day.timestamp())
        else:
            last = now + parse_duration(text)
    except (ValueError, BadInput) as error:
        raise BadProviderSetting(f"--until {text!r}: expected such as 90d or 2030-12-31") from error
    if not now < last <= LAST:
        raise BadProviderSetting(f"--until {text!r}: is over already, or beyond what the registry holds")
    return last


def _moment(seconds: int) -> str:
    from assay.cli.renter.texts import moment

    return moment(seconds) if seconds else "revoked"
