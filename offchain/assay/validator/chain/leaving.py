"""Giving a seat up, and getting its stake back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from assay.chain.contracts.amounts import tokens_text, utc
from assay.chain.contracts.epochs import read_timing
from assay.chain.contracts.stake import MANAGER, AccountStake, read_stake
from assay.chain.rpc.client import Chain, ContractCall
from assay.chain.transactions.sender import Sender
from assay.validator.errors import ValidatorError

SEATS = "ValidatorSet"
SLASHING_S = 86_400  # ValidatorSet.SLASHING_TIME: how long a proof made in time may take to arrive


class SeatStatus(IntEnum):
    """IValidatorSet.Status."""

    NONE = 0
    JOINING = 1
    SEATED = 2
    LEAVING = 3
    UNBACKED = 4
    LEFT = 5


@dataclass(frozen=True, slots=True)
class SeatStake:
    """An account's stake and where its seat stands, at second `now` of the chain.

    `behind_seat` is what is reserved for the seat, base units. `left_from` is the first epoch without the seat, while
    it is leaving the earliest that can be; from `releasable_at` on nothing can be proven against it.
    """

    account: str
    now: int
    status: SeatStatus
    behind_seat: int
    left_from: int
    releasable_at: int
    stake: AccountStake

    @property
    def releasable(self) -> bool:
        """Whether the seat's stake can be had back now. Of a seat that is leaving a set that no epoch ever replaced the
        contract looks closer."""
        gone = self.status in (SeatStatus.LEAVING, SeatStatus.LEFT)
        return gone and self.behind_seat > 0 and self.now >= self.releasable_at

    @property
    def matured(self) -> int:
        """What has unbonded."""
        return self.stake.pending if self.now >= self.stake.unlock_at else 0


@dataclass(frozen=True, slots=True)
class SeatWithdrawal:
    """Transactions to send, in order, and what they bring, base units: `released` from behind the seat, `paid` out,
    `asked` back, which unbonds from then on."""

    calls: tuple[ContractCall, ...]
    released: int
    paid: int
    asked: int


async def read_seat_stake(chain: Chain, account: str) -> SeatStake:
    """As of the newest block. Raises ChainError."""
    head = await chain.head()
    member = await chain.call(SEATS, "member", account, at=head)
    timing = await read_timing(chain, head)
    return SeatStake(
        account=account,
        now=head.timestamp,
        status=SeatStatus(member.status),
        behind_seat=int(member.stake) if member.reserved else 0,
        left_from=int(member.leftFrom),
        releasable_at=timing.start(int(member.leftFrom)) + timing.proof_window + SLASHING_S,
        stake=await read_stake(chain, account, head),
    )


async def leave(chain: Chain, sender: Sender) -> tuple[str, SeatStake]:
    """Gives up the seat of the sender's account, or its place in the queue: (hash of the transaction, how it stands).

    Raises ValidatorError where it holds none or leaves already, and ChainError.
    """
    found = await read_seat_stake(chain, sender.address)
    if found.status in (SeatStatus.NONE, SeatStatus.LEFT):
        raise ValidatorError(f"{found.account} holds no seat and waits for none; `assay validator withdraw` says more")
    if found.status is SeatStatus.LEAVING:
        raise ValidatorError(f"{found.account} leaves its seat already, from epoch {found.left_from} at the earliest")
    receipt = await sender.send(ContractCall(SEATS, "leave"), label="leave")
    return receipt.transaction_hash, await read_seat_stake(chain, sender.address)


def withdrawal(found: SeatStake, receiver: str, amount: int | None = None) -> SeatWithdrawal:
    """What brings out all that can be had now, and asks for what is free then, or `amount` of it, base units.

    Raises ValidatorError where nothing can be had, with what it waits for and until when.
    """
    calls: list[ContractCall] = []
    released = found.behind_seat if found.releasable else 0
    if released:
        calls.append(ContractCall(SEATS, "releaseStake", (found.account,)))
    if found.matured:
        calls.append(ContractCall(MANAGER, "withdraw", (receiver,)))
    free = found.stake.free + released
    asked = free if amount is None else amount
    if asked > free:
        reasons = "; ".join(["", *waits(found)])
        raise ValidatorError(f"{tokens_text(asked)} asked for, {tokens_text(free)} are free{reasons}")
    if asked and found.stake.pending and not found.matured:
        if amount is not None:
            raise ValidatorError(f"one withdrawal at a time: {_unbonding(found)}")
        asked = 0
    if asked:
        calls.append(ContractCall(MANAGER, "requestWithdrawal", (asked,)))
    if not calls:
        reasons = "; ".join(waits(found)) or f"{found.account} has nothing staked"
        raise ValidatorError(f"nothing can be withdrawn now: {reasons}")
    return SeatWithdrawal(tuple(calls), released, found.matured, asked)


def waits(found: SeatStake) -> list[str]:
    """What is held, each with why and until when."""
    reasons = []
    if found.stake.pending and not found.matured:
        reasons.append(_unbonding(found))
    held = tokens_text(found.behind_seat)
    if found.releasable or not found.behind_seat:
        return reasons
    if found.status is SeatStatus.LEFT:
        reasons.append(f"{held} of a seat that has left can be proven against until {utc(found.releasable_at)}")
    elif found.status is SeatStatus.LEAVING:
        reasons.append(
            f"the seat sits until epoch {found.left_from} at the earliest, and its {held} can be proven against until "
            f"{utc(found.releasable_at)} at the earliest"
        )
    else:
        reasons.append(f"{held} back a seat: `assay validator leave` gives it up")
    return reasons


def _unbonding(found: SeatStake) -> str:
    return f"{tokens_text(found.stake.pending)} are unbonding until {utc(found.stake.unlock_at)}"
