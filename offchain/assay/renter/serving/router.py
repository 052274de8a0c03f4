"""HAProxy in front of replicas: one address of this machine, requests to whichever replica answers.

A request that a replica did not begin to answer goes to another one, if its body fits in a buffer; what a replica was
answering when it failed is lost with it, since half an answer cannot be taken back.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

from assay.renter.errors import BadInput, RenterError
from assay.renter.session.ssh_tunnel import end_with_parent

PROGRAM = "haproxy"
BACKEND = "replicas"
BUFFER = 1 << 20  # of a request that can be sent again
START_S, ANSWER_S, LOOK_S = 10.0, 5.0, 0.1
MAX_ANSWER = 1 << 20
TAIL = 2_000
HEALTH = re.compile(r"/[A-Za-z0-9._~/?&=%-]{0,200}")
# Waits for a slot of a replica, and for an answer: long ones of a language model take minutes.
CONFIGURATION = """\
global
    maxconn 4096
    stats socket {socket} mode 600 level admin
    tune.bufsize {buffer}
defaults
    mode http
    option http-buffer-request
    option redispatch 1
    option dontlognull
    retries 4
    retry-on conn-failure empty-response 503
    timeout connect 4s
    timeout check 10s
    timeout client 1h
    timeout server 1h
    timeout queue 5m
    timeout http-request 1m
    timeout http-keep-alive 1m
frontend here
    bind {host}:{port}
    default_backend {backend}
backend {backend}
    balance leastconn
    option httpchk GET {health}
    http-check expect status 200-399
    default-server check inter 2s fastinter 500ms downinter 1s fall 3 rise 1 maxconn {most} init-addr none
    server-template {backend} {slots} 127.0.0.1:1 disabled
"""


@dataclass(frozen=True)
class SlotState:
    """A replica as the router sees it: whether its health check passes, requests that it answers now."""

    up: bool
    open: int


@dataclass(frozen=True)
class RouterState:
    """All slots by number, and requests that wait for any."""

    slots: dict[int, SlotState]
    waiting: int

    @property
    def requests(self) -> int:
        """At once: those that are answered and those that wait."""
        return self.waiting + sum(one.open for one in self.slots.values())


class HaproxyRouter:
    """One HAProxy of this process, on `host`:`port`. `most` is how many requests a replica gets at once."""

    def __init__(self, folder: Path, host: str, port: int, health: str, slots: int, most: int) -> None:
        if not HEALTH.fullmatch(health):
            raise BadInput(f"--health {health[:80]!r}: expected a path such as /v1/models")
        self._folder, self._port = folder, port
        self._socket = folder / "router.sock"
        self._text = CONFIGURATION.format(
            socket=self._socket, buffer=BUFFER, host=host, port=port, backend=BACKEND, health=health, slots=slots,
            most=most,
        )  # fmt: skip
        if len(os.fsencode(self._socket)) > 90 or re.search(r"[\s\"'\\#$]", str(self._socket)):
            raise BadInput(f"{folder}: too long a path for a socket, or with signs that HAProxy takes otherwise")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises RenterError where there is no HAProxy, or it does not take its port."""
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(self._text)
        self._socket.unlink(missing_ok=True)
        try:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM, "-db", "-q", "-f", str(configuration), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        except FileNotFoundError:
            raise RenterError("there is no haproxy here: install it (package haproxy)") from None
        until = asyncio.get_running_loop().time() + START_S
        while True:
            self._require_running(await self._printed() if self._process.returncode is not None else "")
            try:
                await self.look()
                return
            except OSError:
                if asyncio.get_running_loop().time() > until:
                    await self.close()
                    raise RenterError("haproxy does not answer at its socket") from None
            await asyncio.sleep(LOOK_S)

    async def _printed(self) -> str:
        stream = self._process.stderr if self._process else None
        return (await stream.read(TAIL)).decode("utf-8", "replace").strip() if stream else ""

    def _require_running(self, said: str) -> None:
        if self._process is None or self._process.returncode is not None:
            raise RenterError(f"haproxy has ended; is port {self._port} taken? It said: {said}")

    async def add(self, slot: int, port: int) -> None:
        """A replica answers at a port of the loopback; it gets requests once its health check passes."""
        await self._ask(f"set server {_name(slot)} addr 127.0.0.1 port {port}")
        # Not at once as up: it has not answered anything yet.
        await self._ask(f"set server {_name(slot)} health down")
        await self._ask(f"enable health {_name(slot)}")
        await self._ask(f"set server {_name(slot)} state ready")

    async def drain(self, slot: int) -> None:
        """Nothing new goes to it."""
        await self._ask(f"set server {_name(slot)} state drain")

    async def remove(self, slot: int) -> None:
        """Nothing goes to it, and it is not asked how it is."""
        await self._ask(f"set server {_name(slot)} state maint")
        await self._ask(f"shutdown sessions server {_name(slot)}")

    async def look(self) -> RouterState:
        """Raises OSError where it does not answer."""
        rows = list(csv.DictReader(io.StringIO((await self._ask("show stat")).lstrip("# "))))
        slots, waiting = {}, 0
        for row in rows:
            if row.get("pxname") != BACKEND:
                continue
            if row.get("svname") == "BACKEND":
                waiting += int(row.get("qcur") or 0)
            elif (name := row.get("svname") or "").startswith(BACKEND):
                number = int(name.removeprefix(BACKEND))
                slots[number] = SlotState((row.get("status") or "").startswith("UP"), int(row.get("scur") or 0))
                waiting += int(row.get("qcur") or 0)
        return RouterState(slots, waiting)

    async def _ask(self, command: str) -> str:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=MAX_ANSWER)
            try:
                writer.write(command.encode() + b"\n")
                await writer.drain()
                return (await reader.read(-1)).decode("utf-8", "replace")
            finally:
                writer.close()

    async def close(self) -> None:
        """Ends it."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        self._socket.unlink(missing_ok=True)


def _name(slot: int) -> str:
    return f"{BACKEND}/{BACKEND}{slot}"
