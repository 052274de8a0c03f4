"""Who takes part in a simulated network, and what each does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProviderKind(StrEnum):
    """How a provider behaves."""

    HONEST = "honest"
    LAZY = "lazy"  # leaves out a share of the rows
    SYBIL = "sybil"  # one card under several names
    SELF_LEASING = "self-leasing"  # rents its own device
    DARK = "dark"  # lets its device and is not there
    BAITING = "baiting"  # serves no opening, to be paid for showing it on demand


class ValidatorKind(StrEnum):
    """How a validator behaves."""

    HONEST = "honest"
    LAZY = "lazy"  # passes everything unverified
    COLLUDING = "colluding"  # passes its friends' devices whatever they do
    STALLING = "stalling"  # signs nothing, so that nothing is sealed


@dataclass
class Provider:
    """One provider. `skipped` is the share of rows a lazy one leaves out, `names` the devices a card poses
    as.
    """

    account: str
    kind: ProviderKind
    names: int = 1
    skipped: float = 0.0
    stake: float = 0.0
    paid: float = 0.0  # work, gas, capital, fees
    rent: float = 0.0
    bonds: float = 0.0  # earned by answering demands
    lost: float = 0.0
    retired: bool = False


@dataclass
class Validator:
    """One seat. One that stalls may check in all the same; `left_out` are the epochs in a row that count against it."""

    account: str
    kind: ValidatorKind
    checks_in: bool = True
    left_out: int = 0
    paid: float = 0.0
    lost: float = 0.0
    removed: bool = False
