"""An account's stake, and when what backed a device comes free."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.rpc.client import At, Chain
from assay.protocol.epochs import Timing

MANAGER = "StakeManager"


@dataclass(frozen=True, slots=True)
class AccountStake:
    """Base units of the network token. `reserved` is the part of `active` that backs devices or a seat; `pending` was
    asked back and can be withdrawn from `unlock_at` on, in seconds since 1970."""

    active: int
    reserved: int
    pending: int
    unlock_at: int

    @property
    def free(self) -> int:
        """What can be asked back, or back another device."""
        return self.active - self.reserved


async def read_stake(chain: Chain, account: str, at: At = None) -> AccountStake:
    """Nothing but zeros for an account without any."""
    row = await chain.call(MANAGER, "account", account, at=at)
    return AccountStake(int(row.active), int(row.reserved), int(row.pending), int(row.unlockAt))


async def read_unbonding(chain: Chain) -> int:
    """Seconds between asking stake back and withdrawing it."""
    return int(await chain.call(MANAGER, "unbondingPeriod"))


def releasable_from(timing: Timing, retired_at: int) -> int:
    """When the stake of a device that is retired then comes free, as DeviceRegistry.releasableFrom has it."""
    return timing.start((timing.epoch_at(retired_at) or 0) + 2) + timing.proof_window
