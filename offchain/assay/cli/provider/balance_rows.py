"""What commands show of a provider's balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.chain.contracts.amounts import amount_text, tokens_text, utc
from assay.cli.renter.reward_rows import rewards_json
from assay.protocol.hexadecimal import to_hex
from assay.provider.account.balance import Balance, Withdrawal
from assay.provider.account.next_steps import NextStep
from assay.renter.money.rewards import Rewards

COIN_DECIMALS = 18


def balance_text(
    found: Balance, earned: Rewards, steps: Sequence[NextStep], network: tuple[int, str]
) -> dict[str, Any]:
    """For people: amounts in whole tokens, times in UTC."""
    decimals, symbol = network

    def amount(units: int) -> str:
        return amount_text(units, decimals)

    stake = found.stake
    shown: dict[str, Any] = {"provider": found.provider, "paid out to": found.payout}
    shown[f"account, {symbol}"] = amount(found.held)
    shown[f"stake, {symbol}"] = (
        f"active {amount(stake.active)}, of which {amount(stake.reserved)} reserved and {amount(stake.free)} free"
    )
    if stake.pending:
        state = "can be withdrawn" if found.matured else f"unbonds until {utc(stake.unlock_at)}"
        shown[f"asked back, {symbol}"] = f"{amount(stake.pending)}, {state}"
    for one in found.devices:
        shown[f"device {to_hex(one.device_id)[:14]}"] = _device_text(found, one, amount(one.amount))
    for token in found.tokens:
        line = f"rent, {token.symbol}"
        shown[line if line not in shown else f"{line} {token.token}"] = ", ".join(
            f"{name} {amount_text(value, token.decimals)}"
            for name, value in {
                "account": token.held,
                "due": token.rent,
                "bonds due": token.bonds,
                "bond credit": token.credit,
                "for operators a day": token.per_day,
                "left today": token.left_today,
            }.items()
        )
    shown[f"rewards, {symbol}"] = (
        f"due now {amount(earned.due)}, due later {amount(earned.waiting)}, claimed {amount(earned.claimed)}"
    )
    for key in found.gas:
        shown[f"gas of {key.role} {key.account[:10]}"] = f"{amount_text(key.wei, COIN_DECIMALS)} coin"
    shown["next"] = [_step_text(step) for step in steps] or "nothing to do"
    return shown


def balance_json(found: Balance, earned: Rewards, steps: Sequence[NextStep]) -> dict[str, Any]:
    """Base units as text, times in seconds since 1970."""
    stake = found.stake
    return {
        "provider": found.provider,
        "payout": found.payout,
        "held": str(found.held),
        "stake": {
            "active": str(stake.active),
            "reserved": str(stake.reserved),
            "free": str(stake.free),
            "pending": str(stake.pending),
            "unlockAt": stake.unlock_at or None,
        },
        "devices": [
            {
                "deviceId": to_hex(one.device_id),
                "status": one.status.name.lower(),
                "stake": str(one.amount),
                "freeFrom": one.free_from or None,
                "released": one.released,
                "openDemands": one.demands,
                "leasedUntil": one.leased_until,
            }
            for one in found.devices
        ],
        "tokens": {
            one.token: {
                "symbol": one.symbol,
                "held": str(one.held),
                "rent": str(one.rent),
                "bonds": str(one.bonds),
                "credit": str(one.credit),
                "perDay": str(one.per_day),
                "leftToday": str(one.left_today),
            }
            for one in found.tokens
        },
        "rewards": rewards_json(earned),
        "gas": [{"account": one.account, "role": one.role, "wei": str(one.wei)} for one in found.gas],
        "next": [{"command": one.command, "why": one.why, "notBefore": one.not_before or None} for one in steps],
    }


def withdrawal_question(found: Balance, plan: Withdrawal, receiver: str) -> str:
    """What is asked before it is sent."""
    parts = []
    if plan.collected:
        parts.append(f"collect the rent and bonds of {len(plan.collected)} leases for {receiver}")
    if plan.released:
        parts.append(f"release the stake of {len(plan.released)} retired devices")
    if plan.paid:
        parts.append(f"pay {tokens_text(plan.paid)} that have unbonded to {receiver}")
    if plan.asked:
        parts.append(f"ask {tokens_text(plan.asked)} back, which unbond until {utc(found.now + found.unbonding)}")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}?"


def withdrawal_shown(found: Balance, plan: Withdrawal, receiver: str) -> dict[str, Any]:
    """Base units as text, times in seconds since 1970."""
    return {
        "receiver": receiver,
        "leases": [one.lease_id for one in plan.collected],
        "released": [to_hex(one.device_id) for one in plan.released],
        "paid": str(plan.paid),
        "unbonding": str(plan.asked),
        "unbondsUntil": found.now + found.unbonding if plan.asked else None,
    }


def _device_text(found: Balance, one: Any, amount: str) -> str:
    text = f"{one.status.name.lower()}, stake {amount}"
    if one.leased_until:
        text += f", leased until {utc(one.leased_until)}"
    if one.released:
        return text + ", released"
    if one.held and one.demands:
        return text + f", held by {one.demands} open demands"
    if one.held:
        return text + (", can be released" if one.can_be_released(found.now) else f", held until {utc(one.free_from)}")
    return text


def _step_text(step: NextStep) -> str:
    when = f" from {utc(step.not_before)} on" if step.not_before else ""
    return f"{step.command}{when}: {step.why}"
