"""Profiles as they stand in the registry."""

from __future__ import annotations

from typing import Any

from assay.chain.errors import ChainError
from assay.chain.rpc.client import At, Chain
from assay.protocol.profile import Profile


def profile_from_struct(profile_id: int, row: Any) -> Profile:
    """A Profile of the registry's struct."""
    return Profile(
        profile_id, M=row.M, N=row.N, K=row.K, T=row.T, chunk=row.chunk, k=row.k, W=row.W,
        deadline_ms=row.deadlineMs, credit=row.credit, max_gops=row.maxGops, stake=row.stake,
    )  # fmt: skip


async def read_profile(chain: Chain, profile_id: int, at: At = None) -> Profile:
    """One profile. Raises ChainError for an id that does not exist."""
    row = await chain.call("DeviceRegistry", "profile", profile_id, at=at)
    if row.M == 0:
        raise ChainError(f"the registry has no profile {profile_id}")
    return profile_from_struct(profile_id, row)


async def read_profiles(chain: Chain, at: At = None) -> dict[int, Profile]:
    """All profiles by id."""
    at = at if at is not None else await chain.finalised()
    count = await chain.call("DeviceRegistry", "profileCount", at=at)
    return {i: await read_profile(chain, i, at) for i in range(1, count + 1)}
