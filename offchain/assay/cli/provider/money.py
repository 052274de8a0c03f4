"""`assay provider balance`, `withdraw`, `rewards`: what there is, and getting it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show
from assay.cli.provider.endings import finish
from assay.cli.provider.options import Output, ReadingOptions, SendingOptions
from assay.cli.provider.orders import OrderPlan, order
from assay.cli.renter.options import Asking

if TYPE_CHECKING:
    from assay.provider.account.authority import Authority
    from assay.provider.settings import ProviderSettings

rewards = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    help="Show and claim the provider's network rewards.",
)
Receiver = Annotated[str | None, typer.Option("--to", help="account to pay; default the provider's payout address")]


@with_options
def balance(given: ReadingOptions, output: Output = OutputFormat.table) -> None:
    """Show all that the provider has and is owed, from when on it can be had, and the next command to type.

    In tokens, or in base units as JSON and CSV.
    """

    async def work() -> dict[str, Any]:
        from assay.cli.provider.balance_rows import balance_json, balance_text
        from assay.cli.renter.reward_rows import network_token
        from assay.provider.account.balance import read_balance
        from assay.provider.account.next_steps import next_steps
        from assay.provider.offers.terms import TermsFile
        from assay.provider.reading import reading
        from assay.renter.money.rewards import find_rewards

        settings = given.settings()
        priced = TermsFile(settings.data_dir).read().tokens()
        tokens = [*priced, *([settings.token] if settings.token else [])]
        async with reading(settings) as authority:
            found = await read_balance(authority, tokens)
            earned = await find_rewards(authority.chain, authority.provider, settings.allow_private)
            steps = next_steps(found, earned.due)
            if output is OutputFormat.table:
                return balance_text(found, earned, steps, await network_token(authority.chain))
            return balance_json(found, earned, steps)

    show(finish(work()), output)


@with_options
def withdraw(
    given: SendingOptions,
    asking: Asking,
    amount: Annotated[
        str | None, typer.Argument(help="whole tokens of stake to ask back; default all that is free")
    ] = None,
    to: Receiver = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="put what is unbonding back behind the devices instead")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Take out all that can be had now: due rent and bonds, the stake of retired devices, what has unbonded.

    What is free then begins to unbond; type it again when that is over. `balance` says when.
    """

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.contracts.amounts import STAKE_DECIMALS, tokens_text
        from assay.chain.rpc.client import ContractCall
        from assay.cli.provider.balance_rows import withdrawal_question, withdrawal_shown
        from assay.protocol.hexadecimal import parse_address
        from assay.provider.account.balance import read_balance
        from assay.provider.account.balance import withdrawal as planned
        from assay.provider.errors import Conflict
        from assay.renter.money.amounts import parse_amount

        found = await read_balance(authority)
        if cancel:
            if not found.stake.pending:
                raise Conflict(f"{found.provider} has asked for nothing back")
            text = tokens_text(found.stake.pending)
            call = ContractCall("StakeManager", "cancelWithdrawal")
            return OrderPlan([call], f"Put {text} back as stake?", {"cancelled": str(found.stake.pending)})
        receiver = parse_address(to, "--to") if to else found.payout
        plan = planned(found, receiver, parse_amount(amount, STAKE_DECIMALS) if amount else None)
        return OrderPlan(
            plan.calls, withdrawal_question(found, plan, receiver), withdrawal_shown(found, plan, receiver)
        )

    order(given, asking, output, prepare, own_key=True)


@rewards.command(name="show")
@with_options
def show_rewards(given: ReadingOptions, output: Output = OutputFormat.table) -> None:
    """Show what the provider has earned, claimed, can claim now, and will be able to claim."""

    async def work() -> dict[str, Any]:
        from assay.cli.renter.reward_rows import network_token, rewards_json, rewards_text
        from assay.provider.reading import reading
        from assay.renter.money.rewards import find_rewards

        settings = given.settings()
        async with reading(settings) as authority:
            found = await find_rewards(authority.chain, authority.provider, settings.allow_private)
            if output is OutputFormat.table:
                return rewards_text(found, *await network_token(authority.chain))
            return rewards_json(found)

    show(finish(work()), output)


@rewards.command()
@with_options
def claim(given: SendingOptions, asking: Asking, to: Receiver = None, output: Output = OutputFormat.table) -> None:
    """Claim what the network owes the provider now. Only the provider's own key can."""

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.cli.renter.reward_rows import network_token
        from assay.protocol.hexadecimal import parse_address
        from assay.renter.money.amounts import amount_text, show_amount
        from assay.renter.money.rewards import find_rewards

        receiver = parse_address(to, "--to") if to else await authority.payout()
        found = await find_rewards(authority.chain, authority.provider, settings.allow_private)
        call = found.claim(receiver)
        decimals, symbol = await network_token(authority.chain)
        exact = f"{show_amount(found.due, decimals)} {symbol}"
        shown = {"account": authority.provider, "receiver": receiver, "claimed": exact, "baseUnits": str(found.due)}
        return OrderPlan([call], f"Claim {amount_text(found.due, decimals)} {symbol} for {receiver}?", shown)

    order(given, asking, output, prepare, own_key=True)


@with_options
def retire(
    given: SendingOptions,
    asking: Asking,
    devices: Annotated[list[str] | None, typer.Argument(help="device ids, 0x…, or their first digits")] = None,
    every: Annotated[bool, typer.Option("--all", help="all devices that are not leased")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Take devices off the market for ever, so that their stake comes free. A leased device is refused."""
    from assay.provider.errors import BadProviderSetting

    async def prepare(authority: Authority, settings: ProviderSettings) -> OrderPlan:
        from assay.chain.contracts.amounts import utc
        from assay.chain.contracts.epochs import read_timing
        from assay.chain.contracts.stake import releasable_from
        from assay.protocol.hexadecimal import to_hex
        from assay.provider.account.finality import devices_when_final
        from assay.provider.account.standing import device_named
        from assay.provider.leasing import orders

        if bool(devices) == every:
            raise BadProviderSetting("which devices? name them, or all that are not leased with --all")
        rows = await devices_when_final(authority, note, devices or None)
        if every:
            ids, left = await orders.retirable(authority, rows)
            for text in left:
                note(f"stays: {text}")
        else:
            ids = list(dict.fromkeys(device_named(one, rows, authority.provider) for one in devices or []))
        made = [await orders.retirement(authority, one) for one in ids]
        free_from = releasable_from(await read_timing(authority.chain), (await authority.chain.head()).timestamp)
        names = [to_hex(one) for one in ids]
        what = f"device {names[0]}" if len(names) == 1 else f"{len(names)} devices ({', '.join(n[:12] for n in names)})"
        question = f"Retire {what}? For ever: {made[0].effect}, from {utc(free_from)} on."
        shown = {"deviceIds": names, "retired": True, "stakeFreeFrom": free_from, "next": "assay provider withdraw"}
        return OrderPlan([one.call for one in made], question, shown)

    order(given, asking, output, prepare, own_key=True)
