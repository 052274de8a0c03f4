"""Epochs: opened, sealed, drawn, reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Event


@dataclass(frozen=True, slots=True)
class EpochOpened(Event):
    """An epoch's beacon and seats are fixed."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    set_id: int
    beacon: bytes
    epoch_seed: bytes


@dataclass(frozen=True, slots=True)
class EpochSealed(Event):
    """What devices committed to is fixed."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    round: int
    seal_root: bytes
    count: int
    signers: int


@dataclass(frozen=True, slots=True)
class EpochDrawn(Event):
    """The rows to open are drawn."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    rho: bytes


@dataclass(frozen=True, slots=True)
class EpochReported(Event):
    """The results are posted."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    round: int
    devices_root: bytes
    rewards_root: bytes
    rewards_total: int
    data_hash: bytes
    signers: int


@dataclass(frozen=True, slots=True)
class EpochVoided(Event):
    """A deadline passed; `reached` is the phase before."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    reached: int


@dataclass(frozen=True, slots=True)
class SignaturesAdded(Event):
    """Late signatures; `signers` is the new mask."""

    CONTRACT: ClassVar[str] = "EpochOracle"

    epoch: int
    is_report: bool
    signers: int
