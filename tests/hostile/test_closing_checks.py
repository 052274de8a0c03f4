"""What the attacked network is asked at its end notices what it is for: each check, with what it must not pass over."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.protocol.epochs import Phase
from tests.hostile import bounds, world
from tests.hostile.bounds import Use, Watch, disk_mib, left_behind, listing, make_canary, mounts_below
from tests.hostile.world import LEASED, World

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="owners of files and mounts are root's to change")
ANY: Any = None


def a_world(**fields: Any) -> World:
    return World(**{name: ANY for name in ("network", "seed", "folder", "watch", "node", "device", "canary")} | fields)


@needs_root
@pytest.mark.parametrize(
    "touch",
    [
        lambda canary: (canary / "secret").write_text("read and written"),
        lambda canary: (canary / "inner" / "script").chmod(0o755),
        lambda canary: os.chown(canary / "inner" / "shared", 0, 0),
        lambda canary: (canary / "inner" / "new").touch(),
        lambda canary: (canary / "link").unlink(),
        lambda canary: os.utime(canary / "secret"),
    ],
    ids=["written", "mode", "owner", "new", "gone", "time"],
)
def test_touched__anything_of_the_host_changed__is_named(tmp_path: Path, touch: Any) -> None:
    canary = make_canary(tmp_path / "canary")
    looked = a_world(canary=canary, before=listing(canary), host=listing(*bounds.HOST_FILES, deep=False))
    assert looked.touched() == []
    touch(canary)
    assert looked.touched()


def test_too_much__memory_or_descriptors_beyond_the_bounds__are_named() -> None:
    seen = {
        "well": Use(100, 20),
        "grown": Use(bounds.MAX_RSS_MIB + 1, 20),
        "open": Use(100, bounds.MAX_DESCRIPTORS + 1),
    }
    assert [line.split(":")[0] for line in Watch(ANY, seen).too_much()] == ["grown", "open"]


def test_disk__of_a_daemon__counts_all_but_leases_files(tmp_path: Path) -> None:
    (tmp_path / "leases").mkdir()
    for place in (tmp_path / "kept", tmp_path / "leases" / "renters"):
        place.write_bytes(os.urandom(3 << 20))
    assert 3 <= disk_mib(tmp_path) < 4


async def test_left_behind__process_that_goes_on_in_the_folder__is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ENDING_S", 0.5)
    process = await asyncio.create_subprocess_exec("sleep", "60", cwd=tmp_path)
    try:
        (found,) = await left_behind(tmp_path)
        assert found.startswith(f"{process.pid}: sleep")
    finally:
        process.kill()
        await process.wait()
    assert await left_behind(tmp_path) == []


@needs_root
def test_mounts__below_a_folder__are_found_by_any_name(tmp_path: Path) -> None:
    place = tmp_path / "with a space"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
    try:
        assert mounts_below(tmp_path) == [str(place)]
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert mounts_below(tmp_path) == []


class Told(World):
    """Of a chain that is what `phases` says."""

    phases: dict[int, Phase]

    def phase(self, epoch: int) -> Phase:
        return self.phases[epoch]

    def _report_ends(self, epoch: int) -> float:
        return 0.0


async def test_unreported__one_void_of_three__is_named() -> None:
    looked = Told(*[ANY] * 7)
    looked.phases = {4: Phase.REPORTED, 5: Phase.VOID, 6: Phase.REPORTED}
    assert await looked.unreported(4, 6) == [(5, "VOID")]


def test_unscored__device_failed_missing_or_leased_and_down__is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(provider: str, *flags: str, uptime_bps: int = 10_000) -> SimpleNamespace:
        return SimpleNamespace(provider=provider, flags=list(flags), uptime_bps=uptime_bps)

    reports = {
        1: [line("north", "passed"), line("south", "passed")],
        2: [line(LEASED, "leased"), line("south", "passed")],
        3: [line(LEASED, "leased", uptime_bps=100), line("south", "passed")],
        4: [line("north", "passed")],
        5: [line("north", "passed"), line("south", "unreachable")],
    }
    monkeypatch.setattr(world, "read_report", lambda _, epoch: reports[epoch])
    # Epoch 6 is void: `unreported` tells it, and nothing of it can be read.
    phases = dict.fromkeys(reports, Phase.REPORTED) | {6: Phase.VOID}
    monkeypatch.setattr(World, "phase", lambda _, epoch: phases[epoch])
    found = a_world().unscored(1, 6)
    assert [(epoch, provider) for epoch, provider, _ in found] == [(3, LEASED), (4, "south"), (5, "south")]
