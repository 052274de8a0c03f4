"""Typed parameters of a network, as `deployments/<network>.yml` states them."""

from __future__ import annotations

from typing import Annotated, Any

from eth_utils import is_address, to_checksum_address
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class BadParameters(Exception):
    """A parameter file that is missing, malformed, or asks for what cannot be."""


def _address(value: Any) -> str:
    # An unquoted 0x… in YAML is read as a number.
    text = f"0x{value:040x}" if isinstance(value, int) else str(value)
    if not is_address(text):
        raise ValueError(f"{value!r} is not an address; write it quoted, as 0x and 40 hex digits")
    return to_checksum_address(text)


def _whole(value: Any) -> int:
    """Integers, also as text and in the form 1.5e21, as long as nothing is rounded."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, int):
        return value
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(str(value).replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


Address = Annotated[str, BeforeValidator(_address)]
Units = Annotated[int, BeforeValidator(_whole), Field(ge=0, lt=1 << 256)]
Seconds = Annotated[int, Field(ge=0, lt=1 << 40)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Chain(_Model):
    """What the deadlines assume of the chain: seconds from block to block."""

    blockTime: Annotated[float, Field(gt=0)]


class Epochs(_Model):
    """Seconds after the start of an epoch, but for `genesis` (a time, or "now+N") and `drawDelay` (blocks)."""

    genesis: int | str
    epochLength: int
    openBy: int
    sealBy: int
    drawBy: int
    reportBy: int
    drawDelay: int
    proofWindow: Seconds

    def at(self, now: int) -> int:
        """Genesis as a time. Raises BadParameters."""
        if isinstance(self.genesis, int):
            return self.genesis
        text = self.genesis.replace(" ", "")
        if text.startswith("now+") and text[4:].isdigit():
            return now + int(text[4:])
        raise BadParameters(f"epochs.genesis: {self.genesis!r} is neither a time nor now+SECONDS")


class Allocation(_Model):
    account: Address
    amount: Units


class Token(_Model):
    name: str
    symbol: str
    cap: Units
    allocations: list[Allocation]


class Profile(_Model):
    name: str
    M: int
    N: int
    K: int
    T: int
    chunk: int
    k: int
    W: int
    deadlineMs: int
    credit: int
    maxGops: int
    stake: Units


class Registry(_Model):
    """What profiles that are added later are held to, like those here: an earning profile must ask for `workPerCredit`
    multiplications for each credit."""

    minStake: Units
    maxStake: Units
    workPerCredit: Annotated[Units, Field(gt=0, lt=1 << 64)]
    maxDeadlineMs: Annotated[int, Field(gt=0, lt=1 << 32)]


class Stakes(_Model):
    """`slashHold` is how long slashed stake can be given back before its bounty is paid and the rest is burned."""

    unbondingPeriod: Seconds
    slashHold: Seconds
    bountyBps: Annotated[int, Field(ge=0, le=1000)]


class Seats(_Model):
    seatStake: Units
    idleEpochs: int


class Proofs(_Model):
    """`unitBond` is what answering a demand for an opening earns while the base fee (wei) is `referenceBaseFee`."""

    commitLifetime: int
    answerWindow: Seconds
    unitBond: Annotated[Units, Field(gt=0, lt=1 << 128)]
    referenceBaseFee: Annotated[Units, Field(gt=0, lt=1 << 64)]


class Rewards(_Model):
    initialEmission: Units
    eraEpochs: int
    providerBps: Annotated[int, Field(ge=0, le=10_000)]
    maxPerCredit: Units
    claimDelay: Seconds
    longClaimDelay: Seconds


class LeaseToken(_Model):
    """`token` is an address, or the name of a token that this deployment creates."""

    token: str | int
    feeFloor: Units


class Leases(_Model):
    holdback: Seconds
    maxDowntime: Seconds
    maxAge: int
    feeBps: Annotated[int, Field(ge=0, le=500)]
    tokens: list[LeaseToken]


class Governance(_Model):
    timelockDelay: Seconds
    longestDelay: Seconds
    proposers: list[Address]
    executors: list[Address]
    guardian: Address


class TestToken(_Model):
    name: str
    symbol: str
    decimals: Annotated[int, Field(ge=0, le=255)]


class Assumptions(_Model):
    """What the sizes of stakes and bounties were reckoned with."""

    gasPriceGwei: float
    tokensPerEther: float


class Parameters(_Model):
    network: str
    chainId: int
    chain: Chain
    epochs: Epochs
    token: Token
    profiles: list[Profile]
    registry: Registry
    stakes: Stakes
    seats: Seats
    proofs: Proofs
    rewards: Rewards
    leases: Leases
    governance: Governance
    testToken: TestToken | None = None
    assumptions: Assumptions
