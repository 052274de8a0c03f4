"""The money side of a deployment's parameters, as `deployments/<network>.yml` states them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from assay.protocol.epochs import Timing
from assay.protocol.profile import Profile

LOCAL_CHAIN = 31_337
UNIT = 10**18
_TIMES = ("epochLength", "openBy", "sealBy", "drawBy", "reportBy", "drawDelay", "proofWindow")
BPS = 10_000
MAX_BYTES = 1 << 20


class BadParameters(ValueError):
    """A parameter file that lacks something or holds what is no number."""


@dataclass(frozen=True, slots=True)
class ProfileMoney:
    """One profile: what must be done, by when, its weight in the emission, its stake in tokens."""

    name: str
    shape: Profile
    stake: float

    @property
    def credit(self) -> int:
        """Weight in the emission."""
        return self.shape.credit

    @property
    def samples(self) -> int:
        """Rows that ρ draws."""
        return self.shape.k

    @property
    def work(self) -> int:
        """Multiply-adds of a proof."""
        return self.shape.operations // 2

    @property
    def deadline(self) -> float:
        """Seconds."""
        return self.shape.deadline_ms / 1000


@dataclass(frozen=True, slots=True)
class Economy:
    """Amounts in whole network tokens, times in seconds, shares as fractions. `unit_bond` is what answering a round
    leaf on demand earns at the assumed gas price."""

    network: str
    chain_id: int
    block_time: float
    timing: Timing
    profiles: tuple[ProfileMoney, ...]
    seat_stake: float
    bounty: float
    emission: float  # an epoch, in the first era
    provider_share: float
    max_per_credit: float
    unit_bond: float
    slash_hold: float
    idle_epochs: int
    holdback: float
    max_downtime: float
    fee: float
    gas_price_gwei: float
    tokens_per_ether: float

    @property
    def is_local(self) -> bool:
        """Whether its tokens are worth nothing: what a processor can do may earn there."""
        return self.chain_id == LOCAL_CHAIN

    @property
    def epoch_length(self) -> float:
        """Seconds."""
        return self.timing.epoch_length

    @property
    def provable_epochs(self) -> int:
        """Epochs that can be proven against at one time: those of the proof window, and the one at work."""
        return math.ceil(self.timing.proof_window / self.epoch_length) + 1

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
        content = path.read_bytes()  # YAML knows its own byte order marks
    except OSError as error:
        raise BadParameters(f"{path}: cannot be read ({error.strerror}); name a file with --parameters") from None
    if len(content) > MAX_BYTES:
        raise BadParameters(f"{path}: {len(content)} bytes is no parameter file")
    try:
        return from_mapping(yaml.safe_load(content))
    except (yaml.reader.ReaderError, UnicodeDecodeError):
        raise BadParameters(f"{path}: is no text, hence no parameter file") from None
    except (KeyError, TypeError, ValueError, InvalidOperation, yaml.YAMLError) as error:
        raise BadParameters(f"{path}: {type(error).__name__}: {error}") from None


def from_mapping(data: Mapping[str, Any]) -> Economy:
    """The economy of a parsed parameter file."""
    epochs, rewards, assumed, proofs = data["epochs"], data["rewards"], data["assumptions"], data["proofs"]
    gas_price, reference = float(assumed["gasPriceGwei"]), float(proofs["referenceBaseFee"]) / 1e9
    return Economy(
        network=str(data["network"]),
        chain_id=int(data["chainId"]),
        block_time=float(data["chain"]["blockTime"]),
        timing=Timing(0, *(int(epochs[name]) for name in _TIMES)),
        profiles=tuple(_profile(number, row) for number, row in enumerate(data["profiles"], 1)),
        seat_stake=_tokens(data["seats"]["seatStake"]),
        bounty=int(data["stakes"]["bountyBps"]) / BPS,
        emission=_tokens(rewards["initialEmission"]),
        provider_share=int(rewards["providerBps"]) / BPS,
        max_per_credit=_tokens(rewards["maxPerCredit"]),
        unit_bond=_tokens(proofs["unitBond"]) * max(1.0, gas_price / reference),
        slash_hold=float(data["stakes"]["slashHold"]),
        idle_epochs=int(data["seats"]["idleEpochs"]),
        holdback=float(data["leases"]["holdback"]),
        max_downtime=float(data["leases"]["maxDowntime"]),
        fee=int(data["leases"]["feeBps"]) / BPS,
        gas_price_gwei=gas_price,
        tokens_per_ether=float(assumed["tokensPerEther"]),
    )


def _profile(number: int, row: Mapping[str, Any]) -> ProfileMoney:
    sizes = {name: int(row[name]) for name in ("M", "N", "K", "T", "chunk", "k", "W")}
    shape = Profile(
        number, **sizes, deadline_ms=int(row["deadlineMs"]), credit=int(row["credit"]), max_gops=int(row["maxGops"])
    )
    return ProfileMoney(str(row["name"]), shape.validate(), _tokens(row["stake"]))


def _tokens(base_units: Any) -> float:
    """Whole tokens of base units, which files write like 1e23: exact before it is rounded once."""
    return float(Decimal(str(base_units)) / UNIT)
