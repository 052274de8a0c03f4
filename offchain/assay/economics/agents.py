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


class ValidatorKind(StrEnum):
    """How a validator behaves."""

    HONEST = "honest"
    LAZY = "lazy"  # passes everything unverified
    COLLUDING = "colluding"  # passes its friends' devices whatever they do


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
    lost: float = 0.0
    retired: bool = False


@dataclass
class Validator:
    """One seat."""

    account: str
    kind: ValidatorKind
    paid: float = 0.0
    lost: float = 0.0
    removed: bool = False
