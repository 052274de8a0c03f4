"""Epochs: their timing, and what the oracle holds of each."""

from __future__ import annotations

from typing import Any

from assay.chain.rpc.client import At, Chain
from assay.protocol.epochs import Emission, EpochState, Phase, Timing
from assay.protocol.types import Rho, Root, Seed


def epoch_state_from_struct(epoch: int, row: Any) -> EpochState:
    """An EpochState of the oracle's struct."""
    return EpochState(
        epoch, Phase(row.phase), row.setId, row.seats, row.sealCount, row.sealBlock, row.openedAt,
        row.reportedAt, row.sealSigners, row.reportSigners, bytes(row.beacon), Seed(bytes(row.epochSeed)),
        Root(bytes(row.sealRoot)), Rho(bytes(row.rho)), Root(bytes(row.devicesRoot)), Root(bytes(row.rewardsRoot)),
        row.rewardsTotal, bytes(row.dataHash),
    )  # fmt: skip


async def read_timing(chain: Chain, at: At = "latest") -> Timing:
    """The oracle's immutable periods."""
    row = await chain.call("EpochOracle", "timing", at=at)
    return Timing(
        row.genesis,
        row.epochLength,
        row.openBy,
        row.sealBy,
        row.drawBy,
        row.reportBy,
        row.drawDelay,
        row.proofWindow,
    )


async def read_epoch_state(chain: Chain, epoch: int, at: At = None) -> EpochState:
    """The state of one epoch."""
    return epoch_state_from_struct(epoch, await chain.call("EpochOracle", "epochState", epoch, at=at))


async def is_provable(chain: Chain, epoch: int, at: At = None) -> bool:
    """Whether the contracts still take proofs against the epoch."""
    return bool(await chain.call("EpochOracle", "provable", epoch, at=at))


async def read_emission(chain: Chain, epoch: int, at: At = None) -> Emission:
    """What the schedule grants an epoch."""
    row = await chain.call("RewardsDistributor", "emission", epoch, at=at)
    return Emission(*row)
