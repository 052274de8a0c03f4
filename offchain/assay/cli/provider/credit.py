"""`assay provider credit`: money that a provider puts aside so that its operators can put up bonds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show_rows
from assay.cli.provider.endings import finish
from assay.cli.provider.options import Output, ReadingOptions, SendingOptions
from assay.cli.provider.orders import OrderPlan, order
from assay.cli.renter.options import Asking
from assay.provider.errors import BadProviderSetting, Conflict

if TYPE_CHECKING:
    from assay.chain.rpc.client import Chain
    from assay.provider.account.authority import Authority
    from assay.provider.settings import ProviderSettings

commands = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Bonds for the leases that operators start.",
)
COLUMNS = {"token": "token", "amount": "credit", "perDay": "limit a day", "leftToday": "left of it now"}
ESCROW = "LeaseEscrow"
Amount = Annotated[str, typer.Argument(help="whole tokens")]
Token = Annotated[
    str | None, typer.Option("--token", help="address of the token; default the one of the prices, or ASSAY_TOKEN")
]


@commands.command()
@with_options
def fill(
    amount: Amount, given: SendingOptions, asking: Asking, token: Token = None, output: Output = OutputFormat.table
) -> None:
    """Put money aside for bonds. It is taken from the provider's account, and can be drained again."""

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        address, units, text = await _amount(authority.chain, settings, token, amount)
        question = f"Put {text} aside for the bonds of leases that operators of {authority.provider} start?"
        return _plan("fillBondCredit", (address, units), question, address, text, approve=(address, units))

    order(given, asking, output, prepare, own_key=True)


@commands.command()
@with_options
def drain(
    amount: Annotated[str, typer.Argument(help="whole tokens, or `all`")],
    given: SendingOptions,
    asking: Asking,
    token: Token = None,
    receiver: Annotated[str | None, typer.Option("--receiver", help="account to pay; default the provider")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Take back what was put aside and is not in a bond."""

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.contracts.operators import read_bond_credit
        from assay.protocol.hexadecimal import parse_address

        to = parse_address(receiver, "--receiver") if receiver else authority.provider
        address = _token(settings, token)
        held = (await read_bond_credit(authority.chain, authority.provider, address, "latest")).amount
        if amount == "all":
            units, text = held, await _told(authority.chain, address, held)
        else:
            _, units, text = await _amount(authority.chain, settings, token, amount)
        if not 0 < units <= held:
            left = await _told(authority.chain, address, held)
            raise Conflict(f"{text} asked for, the bond credit of {authority.provider} is {left}")
        question = f"Take {text} of the bond credit back, to {to}? Leases that need it cannot start."
        return _plan("drainBondCredit", (address, units, to), question, address, text)

    order(given, asking, output, prepare, own_key=True)


@commands.command()
@with_options
def limit(
    amount: Annotated[str, typer.Argument(help="whole tokens a day; 0: nothing")],
    given: SendingOptions,
    asking: Asking,
    token: Token = None,
    output: Output = OutputFormat.table,
) -> None:
    """Set what operators may take of the credit in a day: what a stolen operator's key can lock up."""

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        if amount == "0":
            address, units = _token(settings, token), 0
            text = await _told(authority.chain, address, 0)
        else:
            address, units, text = await _amount(authority.chain, settings, token, amount)
        question = f"Let operators of {authority.provider} take {text} a day for bonds?"
        return _plan("setBondLimit", (address, units), question, address, text)

    order(given, asking, output, prepare, own_key=True)


@commands.command(name="show")
@with_options
def show_credit(given: ReadingOptions, token: Token = None, output: Output = OutputFormat.table) -> None:
    """Show credit and limit in every token: in tokens, or in base units as JSON and CSV."""

    async def work() -> tuple[str, list[dict[str, Any]]]:
        from assay.provider.account.standing import credit_of
        from assay.provider.offers.terms import TermsFile
        from assay.provider.reading import reading

        settings = given.settings()
        tokens = [_token(settings, token)] if token else TermsFile(settings.data_dir).read().tokens()
        async with reading(settings) as authority:
            rows = await credit_of(authority.chain, authority.provider, tokens)
            if output is OutputFormat.table:
                rows = [await _row(authority.chain, row) for row in rows]
            return authority.provider, rows

    provider, rows = finish(work())
    show_rows("credit", rows, COLUMNS, output, tuple(COLUMNS))
    if not rows:
        note(f"{provider} has put nothing aside: `assay provider credit fill` and `limit` let operators start leases")


def _plan(
    function: str,
    arguments: tuple[Any, ...],
    question: str,
    token: str,
    text: str,
    approve: tuple[str, int] | None = None,
) -> OrderPlan:
    from assay.chain.rpc.client import ContractCall

    shown = {"token": token, "amount": text, "baseUnits": str(arguments[1])}
    return OrderPlan([ContractCall(ESCROW, function, arguments)], question, shown, approve)


def _token(settings: ProviderSettings, given: str | None) -> str:
    """The token given, that of the settings, or the only one that something is priced in. Raises BadSetting."""
    from assay.protocol.hexadecimal import parse_address
    from assay.provider.offers.terms import TermsFile

    if given or settings.token:
        return parse_address(given or str(settings.token), "--token")
    tokens = TermsFile(settings.data_dir).read().tokens()
    if len(tokens) != 1:
        raise BadProviderSetting(
            f"which token? name its address with --token or ASSAY_TOKEN; {len(tokens)} have a price"
        )
    return tokens[0]


async def _amount(chain: Chain, settings: ProviderSettings, token: str | None, amount: str) -> tuple[str, int, str]:
    """(token, base units, the amount with its symbol)."""
    from assay.chain.contracts.erc20 import Erc20
    from assay.renter.money.amounts import parse_amount

    address = _token(settings, token)
    units = parse_amount(amount, await Erc20(chain, address).decimals())
    return address, units, await _told(chain, address, units)


async def _told(chain: Chain, token: str, units: int) -> str:
    from assay.chain.contracts.amounts import show_amount
    from assay.chain.contracts.erc20 import Erc20

    erc20 = Erc20(chain, token)
    return f"{show_amount(units, await erc20.decimals())} {await erc20.symbol()}"


async def _row(chain: Chain, row: dict[str, Any]) -> dict[str, Any]:
    units = {name: int(row[name]) for name in ("amount", "perDay", "leftToday")}
    return {**row, **{name: await _told(chain, row["token"], value) for name, value in units.items()}}
