"""Network rewards as their distributor holds them."""

from __future__ import annotations

from dataclasses import dataclass

from assay.chain.rpc.client import At, Chain, ContractCall
from assay.protocol.types import Root
from assay.wire.lines import Earned

DISTRIBUTOR = "RewardsDistributor"


@dataclass(frozen=True, slots=True)
class RewardReport:
    """The reward tree of a reported epoch; `reported_at` in seconds since 1970."""

    epoch: int
    root: Root
    reported_at: int
    vetoed: bool


async def read_reward_report(chain: Chain, epoch: int, at: At = None) -> RewardReport | None:
    """None where the epoch has no report, or one from before the proof window."""
    root, _, reported_at, vetoed = await chain.call("EpochOracle", "rewardsOf", epoch, at=at)
    return RewardReport(epoch, Root(bytes(root)), reported_at, vetoed) if any(root) else None


async def read_claimed(chain: Chain, account: str, at: At = None) -> int:
    """What an account has claimed so far, base units of the network token."""
    claimed: int = await chain.call(DISTRIBUTOR, "claimed", account, at=at)
    return claimed


async def read_claim_delay(chain: Chain) -> int:
    """Seconds after a report until it can be claimed by."""
    delay: int = await chain.call(DISTRIBUTOR, "claimDelay", at="latest")
    return delay


async def read_claimable_at(chain: Chain, epoch: int, at: At = None) -> int:
    """From when on an epoch's report can be claimed by, in seconds since 1970, unless it is vetoed before."""
    when: int = await chain.call(DISTRIBUTOR, "claimableAt", epoch, at=at)
    return when


def claim_call(epoch: int, earned: Earned, receiver: str) -> ContractCall:
    """`claim` by an epoch's reward tree. The account of the line must send it."""
    return ContractCall(DISTRIBUTOR, "claim", (epoch, earned.leaf.cumulative, list(earned.proof), receiver))
