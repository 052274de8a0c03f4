"""Frames over four providers of a local network, one of which is killed, and so is the command: none is lost, none is
rendered twice that has come, no lease is left, and the budget holds."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from assay.devnet.network import Network, NetworkPlan, network_folder
from assay.devnet.progress import Progress
from assay.devnet.starting import start_network

PROVIDERS = ("north", "east", "south", "west")
FRAMES, BUDGET = 200, Decimal("1.00")
MEASURED_SECONDS, BATCH_SECONDS = 240.0, 900.0
# A turning fractal with nothing but Python, for jobs of a host's own interpreter.
RENDERER = """
import cmath, os, sys, time
number, folder = int(sys.argv[1]), sys.argv[2]
width, height, c = 64, 40, 0.7885 * cmath.exp(2j * cmath.pi * number / 200)
pixels = bytearray()
for y in range(height):
    for x in range(width):
        z, steps = complex(-1.9 + 3.8 * x / width, -1.2 + 2.4 * y / height), 0
        while abs(z) < 4 and steps < 60:
            z, steps = z * z + c, steps + 1
        pixels += bytes((4 * steps, 2 * steps, steps))
time.sleep(0.3)
open(f"{folder}/frame.ppm", "wb").write(b"P6 %d %d 255\\n" % (width, height) + pixels)
print("frame", number)
"""
FRAME_BYTES = len(b"P6 64 40 255\n") + 3 * 64 * 40
pytestmark = pytest.mark.deep


async def until(what: str, condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := await asyncio.to_thread(condition)):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        await asyncio.sleep(1)
    return value


class Renter:
    """Somebody with money on the network."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        self.environment["ASSAY_CONTEXTS"] = str(folder / "contexts.json")
        self._options = network.options("guest")

    def json(self, *words: str) -> Any:
        done = subprocess.run(
            ["assay", *words, *self._options, "-o", "json"], env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else None

    def batch(self, printed: Path) -> subprocess.Popen[bytes]:
        """The command as it is typed, each time the same."""
        line = (
            "run", "--each", "jobs.jsonl", "--upload", "render.py", "--max-leases", "4", "--budget", str(BUDGET),
            "--lease-time", "2m", "--expect", "frame.ppm", "--max-time", "2m", "--into", "frames", "--yes",
            *self._options, "-o", "json", "--", "python3", "render.py", "{frame}", "{results}",
        )  # fmt: skip
        with printed.open("wb") as out, printed.with_suffix(".err").open("ab") as err:
            return subprocess.Popen(
                ["assay", *line], env=self.environment, cwd=self.folder, stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def frames(self) -> dict[str, bytes]:
        return {path.parent.name: path.read_bytes() for path in self.folder.glob("frames/f*/frame.ppm")}


async def test_batch__two_hundred_frames_over_four_providers_one_killed__all_come_and_the_budget_holds(
    tmp_path: Path,
) -> None:
    plan = NetworkPlan(
        folder=tmp_path / "devnet", providers=PROVIDERS, skips_rows=frozenset(), operated=frozenset(), renters=(),
        guests=("guest",), epoch_seconds=44, genesis_seconds=60,
    )  # fmt: skip
    with network_folder(plan) as (workspace, processes):
        with (tmp_path / "progress").open("w") as printed:
            network = await start_network(plan, workspace, processes, Progress(Console(file=printed)))
        renter = Renter(network, tmp_path)
        (tmp_path / "render.py").write_text(RENDERER)
        rows = [{"id": f"f{number:03d}", "frame": number} for number in range(FRAMES)]
        (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        guest = network.participants["guest"].address
        before = network.ledger.balance("TestToken", guest)

        def offers() -> bool:
            found = renter.json("search", "--gpus", "1")
            return found is not None and len(found["devices"]) == len(PROVIDERS)

        await until("four offers", offers, plan.patience(MEASURED_SECONDS))
        told, began = tmp_path / "told", time.monotonic()
        running = renter.batch(told)
        try:
            await until("frames", lambda: len(renter.frames()) >= 20 or running.poll() is not None, BATCH_SECONDS)
            assert running.poll() is None, told.with_suffix(".err").read_text()
            # The command is gone, at whatever it was; what it had is there, and its leases run on.
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            came = renter.frames()
            running = renter.batch(told)
            await until("more frames", lambda: len(renter.frames()) >= 60 or running.poll() is not None, BATCH_SECONDS)
            # A provider is gone for good.
            leased = {one["provider"] for one in renter.json("leases")["leases"]}
            dead = next(name for name in PROVIDERS if network.participants[name].address in leased)
            next(one for one in processes.children if one.name == dead).process.kill()
            await until("the end", lambda: running.poll() is not None, BATCH_SECONDS)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        took, said = time.monotonic() - began, told.with_suffix(".err").read_text()
        print(said[-6_000:], f"{took:.0f} s")
        assert running.returncode == 0, said[-6_000:]
        ended = json.loads(told.read_text())
        assert [one["status"] for one in ended["jobs"]] == ["done"] * FRAMES and ended["stopped"] == ""
        frames = renter.frames()
        assert len(frames) == FRAMES and {len(frame) for frame in frames.values()} == {FRAME_BYTES}
        assert len(set(frames.values())) > FRAMES // 2 and came.items() <= frames.items()
        assert re.search("goes to another", said), said[-6_000:]

        def settled() -> bool:
            found = renter.json("leases")
            return found is not None and found["leases"] == []

        await until("no lease that runs", settled, 120)
        everything = renter.json("leases", "--all")["leases"]
        for one in everything:
            if one["status"] != "cancelled":
                renter.json("refund", str(one["leaseId"]), "--yes")
        paid = before - network.ledger.balance("TestToken", guest)
        assert 0 < paid <= int(BUDGET * 10**6), paid
        assert paid <= int(Decimal(ended["cost"]) * 10**6)
        assert len({one["provider"] for one in everything}) == len(PROVIDERS), everything
        print(f"{FRAMES} frames over {len(everything)} leases in {took:.0f} s, {paid / 10**6} of {BUDGET}")
