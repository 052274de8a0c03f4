"""Epochs as the contracts hold them: how far one is, when each of its steps is over, and what it may emit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from assay.protocol.types import NO_RHO, NO_ROOT, NO_SEED, Rho, Root, Seed


class Phase(IntEnum):
    """As in IEpochOracle."""

    NONE = 0
    OPEN = 1
    SEALED = 2
    DRAWN = 3
    REPORTED = 4
    VOID = 5


@dataclass(frozen=True, slots=True)
class EpochState:
    """What the oracle holds of an epoch; all zero where it was never opened or the ring has lost it.

    `seal_signers` and `report_signers` are masks over the seats.
    """

    epoch: int
    phase: Phase = Phase.NONE
    set_id: int = 0
    seats: int = 0
    seal_count: int = 0
    seal_block: int = 0
    opened_at: int = 0
    reported_at: int = 0
    seal_signers: int = 0
    report_signers: int = 0
    beacon: bytes = bytes(32)
    epoch_seed: Seed = NO_SEED
    seal_root: Root = NO_ROOT
    rho: Rho = NO_RHO
    devices_root: Root = NO_ROOT
    rewards_root: Root = NO_ROOT
    rewards_total: int = 0
    data_hash: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class Timing:
    """`genesis` in seconds since 1970; the deadlines in seconds after the start of the epoch; `draw_delay` in
    blocks after the seal; `proof_window` in seconds after the end of the epoch."""

    genesis: int
    epoch_length: int
    open_by: int
    seal_by: int
    draw_by: int
    report_by: int
    draw_delay: int
    proof_window: int

    def epoch_at(self, when: float) -> int | None:
        """The epoch that covers a moment, seconds since 1970; None before the first."""
        if when < self.genesis:
            return None
        return int((when - self.genesis) // self.epoch_length)

    def start(self, epoch: int) -> int:
        """Seconds since 1970 at which an epoch starts."""
        return self.genesis + epoch * self.epoch_length


@dataclass(frozen=True, slots=True)
class Emission:
    """What an epoch may emit, base units of the network token."""

    provider_pool: int
    validator_pool: int
    max_per_credit: int
