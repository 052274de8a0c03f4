"""What a provider does next about its money: the commands, from when on, and why."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.contracts.devices import DeviceStatus
from assay.provider.account.balance import Balance

MIN_COIN = 10**16  # wei: some dozens of transactions


@dataclass(frozen=True)
class NextStep:
    """A line to type, from `not_before` on (seconds since 1970; 0: now), and what it is for."""

    command: str
    why: str
    not_before: int = 0


def next_steps(balance: Balance, rewards_due: int) -> list[NextStep]:
    """Those that can be done now first. `rewards_due` in base units of the network token."""
    steps = [
        NextStep(f"send some of the chain's coin to {one.account}", f"the {one.role} holds {one.wei} wei for gas")
        for one in balance.gas
        if one.wei < MIN_COIN
    ]
    if rewards_due:
        steps.append(NextStep("assay provider rewards claim", "the network's rewards are due"))
    now = [
        *(["rent and bonds are due"] if balance.due else []),
        *([f"{len(balance.releasable)} retired devices can no longer be disputed"] if balance.releasable else []),
        *(["what was asked back has unbonded"] if balance.matured else []),
        *(["stake is free"] if balance.askable and not balance.stake.pending else []),
    ]
    if now:
        steps.append(NextStep("assay provider withdraw", "; ".join(now)))
    if not any(one.status is DeviceStatus.ACTIVE for one in balance.devices):
        steps += [
            NextStep(
                f"assay provider credit drain all --token {one.token}",
                f"{one.symbol} is put aside but no longer needed",
            )
            for one in balance.tokens
            if one.credit
        ]
    later = []
    if balance.stake.pending and not balance.matured:
        later.append(NextStep("assay provider withdraw", "what was asked back unbonds", balance.stake.unlock_at))
    if waiting := [one.free_from for one in balance.devices if one.held and balance.now < one.free_from]:
        later.append(NextStep("assay provider withdraw", "retired devices can be disputed until then", min(waiting)))
    if any(one.held and one.demands for one in balance.devices):
        later.append(
            NextStep("assay provider run", "demands are open against retired devices: its daemon answers them")
        )
    return [*steps, *sorted(later, key=lambda step: step.not_before)]
