"""A real network that is attacked from all sides, with tricks drawn from a seed: ASSAY_HOSTILE_SEED does a run again,
ASSAY_HOSTILE_SECONDS is for how long (deep)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.hostile.bounds import MAX_DISK_MIB, left_behind, mounts_below
from tests.hostile.world import hostile_world

SEED = int(os.environ.get("ASSAY_HOSTILE_SEED") or secrets.randbits(32))
SECONDS = float(os.environ.get("ASSAY_HOSTILE_SECONDS") or 240)
EPOCH_SECONDS = int(os.environ.get("ASSAY_HOSTILE_EPOCH_SECONDS") or 40)


@pytest.mark.deep
async def test_network__attacked_from_all_sides__reports_every_epoch_and_stays_whole(tmp_path: Path) -> None:
    print(f"\nASSAY_HOSTILE_SEED={SEED}")
    async with hostile_world(tmp_path, SEED, EPOCH_SECONDS) as world:
        # The first epoch that began with everybody there.
        first = world.epoch() + 1
        try:
            await world.attack(SECONDS)
            last = world.epoch()
            unreported = await world.unreported(first, last)
        finally:
            print(world.story())
        world.network.processes.check()
        epochs = last - first
        wrong = {
            "silent": await world.silent(),
            "unreported": unreported,
            "unscored": world.unscored(first, last),
            "beyond the bounds": world.watch.too_much(),
            "disk": [(name, mib) for name, mib in world.disks().items() if mib > MAX_DISK_MIB],
            "touched": world.touched(),
            "faults": [fault for played in world.played for fault in played.faults],
            "epochs": [epochs] if epochs < SECONDS // EPOCH_SECONDS - 2 else [],
        }
        print(f"epochs {first} to {last}")
        assert not any(wrong.values()), {name: found for name, found in wrong.items() if found}
    assert not await left_behind(tmp_path)
    assert not mounts_below(tmp_path)
