"""Main memory: what there is, what a profile needs, what may be kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from assay.proof.errors import NotEnoughMemory
from assay.protocol.profile import NAMED, Profile

_KEEP_SHARE = 4  # of the memory that is free, one part in so many may hold C whole
_MIB = 1 << 20


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux: ask the C library
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def product_bytes(profile: Profile) -> int:
    """C of all rounds, int32."""
    return 4 * profile.T * profile.M * profile.N


def needed_memory(profile: Profile, threads: int) -> int:
    """Bytes that proving takes at least: B, two rounds of C, the roots of all rows, and working space."""
    roots = profile.T * (profile.M + 2) * 32
    return profile.N * profile.K + 2 * 4 * profile.M * profile.N + roots + threads * 4 * _MIB


def may_keep_products(profile: Profile, available: int) -> bool:
    """Whether C of all rounds fits in the part of memory that it may take."""
    return product_bytes(profile) * _KEEP_SHARE <= available


def may_keep_window(profile: Profile, available: int) -> bool:
    """Whether the last W rounds modulo 2^16 fit in the part of memory that they may take."""
    window = 2 * profile.W * profile.M * profile.N
    return window * _KEEP_SHARE <= available


def require_memory(
    profile: Profile, need: Callable[[Profile], int], available: int, where: str = "this machine"
) -> None:
    """Raises NotEnoughMemory, saying how much is needed and which profile would fit; `need` gives a profile's bytes."""
    needed = need(profile)
    if needed <= available:
        return
    fitting = {need(named): name for name, named in NAMED.items() if need(named) <= available}
    advice = f"the largest profile that fits is {fitting[max(fitting)]}" if fitting else "no profile fits"
    raise NotEnoughMemory(
        f"profile {profile.id} needs {-(-needed // _MIB):,} MiB, {where} has {available // _MIB:,} MiB free: {advice}"
    )
