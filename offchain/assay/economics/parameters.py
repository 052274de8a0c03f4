"""The money side of a deployment's parameters, as `deployments/<network>.yml` states them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

UNIT = 10**18
BPS = 10_000
MOST_BYTES = 1 << 20


class BadParameters(ValueError):
    """A parameter file that lacks something or holds what is no number."""


@dataclass(frozen=True, slots=True)
class ProfileMoney:
    """One profile: rows sampled, weight in the emission, stake in tokens, inner length of its product."""

    name: str
    samples: int
    credit: int
    stake: float
    inner_length: int


@dataclass(frozen=True, slots=True)
class Economy:
    """Amounts in whole network tokens, times in seconds, shares as fractions."""

    network: str
    profiles: tuple[ProfileMoney, ...]
    seat_stake: float
    bounty: float
    emission: float  # an epoch, in the first era
    provider_share: float
    most_per_credit: float
    claim_delay: float
    epoch_length: float
    proof_window: float
    fee: float
    gas_price_gwei: float
    tokens_per_ether: float

    @property
    def provider_pool(self) -> float:
        """What providers share in an epoch."""
        return self.emission * self.provider_share

    @property
    def validator_pool(self) -> float:
        """What validators share in an epoch."""
        return self.emission * (1 - self.provider_share)

    def gas_cost(self, gas: int) -> float:
        """The price of so much gas, in network tokens at the file's assumptions."""
        return gas * self.gas_price_gwei * 1e-9 * self.tokens_per_ether


def load(path: Path) -> Economy:
    """The economy of a parameter file. Raises BadParameters."""
    try:
        text = path.read_text()
    except OSError as error:
        raise BadParameters(f"{path}: cannot be read ({error.strerror}); name a file with --parameters") from None
    except UnicodeDecodeError:
        raise BadParameters(f"{path}: is no text, hence no parameter file") from None
    if len(text) > MOST_BYTES:
        raise BadParameters(f"{path}: {len(text)} characters is no parameter file")
    try:
        return from_mapping(yaml.safe_load(text))
    except (KeyError, TypeError, ValueError, InvalidOperation, yaml.YAMLError) as error:
        raise BadParameters(f"{path}: {type(error).__name__}: {error}") from None


def from_mapping(data: Mapping[str, Any]) -> Economy:
    """The economy of a parsed parameter file."""
    epochs, rewards, assumed = data["epochs"], data["rewards"], data["assumptions"]
    profiles = tuple(
        ProfileMoney(str(p["name"]), int(p["k"]), int(p["credit"]), _tokens(p["stake"]), int(p["K"]))
        for p in data["profiles"]
    )
    return Economy(
        network=str(data["network"]),
        profiles=profiles,
        seat_stake=_tokens(data["seats"]["seatStake"]),
        bounty=int(data["stakes"]["bountyBps"]) / BPS,
        emission=_tokens(rewards["initialEmission"]),
        provider_share=int(rewards["providerBps"]) / BPS,
        most_per_credit=_tokens(rewards["maxPerCredit"]),
        claim_delay=float(rewards["claimDelay"]),
        epoch_length=float(epochs["epochLength"]),
        proof_window=float(epochs["proofWindow"]),
        fee=int(data["leases"]["feeBps"]) / BPS,
        gas_price_gwei=float(assumed["gasPriceGwei"]),
        tokens_per_ether=float(assumed["tokensPerEther"]),
    )


def _tokens(base_units: Any) -> float:
    """Whole tokens of base units, which files write like 1e23: exact before it is rounded once."""
    return float(Decimal(str(base_units)) / UNIT)
