"""Serving through HAProxy as a renter's machine has it, over servers of this machine in place of pods: one, three, one
replicas by the load, one killed under it, and no request lost that was not being answered."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from assay.renter.batch.batch_journal import BatchJournal
from assay.renter.batch.rules import BatchLimits
from assay.renter.errors import RenterError
from assay.renter.serving import scaling
from assay.renter.serving.router import HaproxyRouter
from assay.renter.serving.scaling import Bounds
from assay.renter.serving.serve_run import ServePolicy, ServeProgress, ServeRun
from assay.renter.session.ssh_tunnel import free_port
from tests.unit.renter.batch_world import Behaviour, World

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy"),
]
# Answers a completion after a moment, streamed in two parts; on its way out it has begun some and not others.
SERVER = """
import http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(json.dumps({"data": [{"id": "small"}]}).encode())
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        time.sleep(0.15)
        self.answer(json.dumps({"choices": [{"text": asked["prompt"][::-1]}], "by": sys.argv[1]}).encode())
    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Many(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    def handle_error(self, *_):
        pass
Many(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
"""


class RealTime:
    """The world's clock, as fast as any."""

    def time(self) -> float:
        return time.time()


@dataclass
class Way:
    """A server in place of a pod's, and the tunnel to it."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def is_open(self) -> bool:
        return self.process.poll() is None

    async def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Servers:
    """Each lease's server; one that was killed does not come back."""

    ways: dict[int, Way] = field(default_factory=dict)

    async def open(self, lease_id: int) -> Way:
        if lease_id in self.ways:
            raise RenterError("it is gone")
        port = free_port()
        line = [sys.executable, "-c", SERVER, str(port)]
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - begins at once
        self.ways[lease_id] = Way(port, process)
        return self.ways[lease_id]


@dataclass
class Load:
    """Clients that ask one question after another."""

    url: str
    ended: Counter[str] = field(default_factory=Counter)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self, count: int) -> None:
        self.tasks = [asyncio.create_task(self._ask(number)) for number in range(count)]

    async def _ask(self, number: int) -> None:
        async with aiohttp.ClientSession(trust_env=False) as client:
            for n in range(1_000_000):
                prompt = f"{number} asks {n} " + "x" * 20_000  # more than one packet
                try:
                    body = {"model": "small", "prompt": prompt}
                    async with client.post(f"{self.url}/v1/completions", json=body) as answer:
                        text = await answer.json() if answer.status == 200 else {}
                        good = answer.status == 200 and text["choices"][0]["text"] == prompt[::-1]
                        self.ended["good" if good else f"status {answer.status}"] += 1
                except aiohttp.ClientError as error:
                    self.ended[type(error).__name__] += 1

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def until(what: str, condition: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        await asyncio.sleep(0.2)


async def test_serve__load_comes_one_is_killed_load_goes__loses_no_request_that_was_not_being_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "BUSY_S", 2.0)
    monkeypatch.setattr(scaling, "CALM_S", 6.0)
    folder = Path(tempfile.mkdtemp(prefix="assay-"))  # a short path, for its socket
    providers = {name: Behaviour(min_duration=5) for name in "abcdef"}
    world = World(providers, RealTime(), tmp_path)  # type: ignore[arg-type]
    journal, port, servers = BatchJournal(folder / "serving.sqlite"), free_port(), Servers()
    router = HaproxyRouter(folder, "127.0.0.1", port, "/v1/models", 8, 256)
    policy = ServePolicy(Bounds(1, 3, 4.0), BatchLimits(8, 100_000, 300, 1), start_s=30, patience_s=3)
    seen: list[ServeProgress] = []
    await router.start()
    run = ServeRun(world, journal, router, servers, policy, world.tell)
    serving = asyncio.create_task(run.run(seen.append))
    load = Load(f"http://127.0.0.1:{port}")

    def up(count: int) -> bool:
        if serving.done():
            serving.result()
        return bool(seen) and seen[-1].up == count

    try:
        await until("one replica", lambda: up(1), 40)
        load.begin(12)
        await until("three replicas", lambda: up(3), 60)
        busy = dict(load.ended)
        assert set(busy) == {"good"}, busy
        # Killed while it answers some: those may be lost, of the others none.
        killed = next(way for way in servers.ways.values() if way.is_open)
        killed.process.kill()
        await until("it is left out", lambda: not up(3), 20)
        await until("another in its place", lambda: up(3), 60)
        await asyncio.sleep(2)
        await load.end()
        lost = sum(count for what, count in load.ended.items() if what != "good")
        assert load.ended["good"] > busy["good"] > 20 and lost <= 12, load.ended
        await until("one again", lambda: up(1), 90)
        assert max(one.up for one in seen) == 3
    finally:
        await load.end()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await router.close()
        journal.close()
        for way in servers.ways.values():
            await way.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(dict(load.ended), *world.told, sep="\n")
    leases = {number: replace(world.seen(number), lease_id=number) for number in world.leases}
    assert len(leases) == 4 and world.highest <= 100_000
    assert all(one.status.name == "ENDED" or one.left_early for one in leases.values()), leases
