"""A hostile device: a real provider behind a proxy that spoils what it answers, and announces odd addresses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx2

from assay.wire import paths
from tests.hostile.tricks import MET, Played, drawn_from

# Texts that the registry takes (visible ASCII), and no parser should trip over.
ENDPOINTS = (
    "https://[",
    "http://a:99999",
    "http://127.0.0.1:22/x?y=z",
    "http://user:pass@127.0.0.1:1/",
    "x" * 256,
    "http://",
    "//a",
    "http://[::1",
    "https://xn--a-\\",
    "http://0x7f000001:1",
    "javascript:alert(1)",
    "=cmd()",
    "http://a..b",
    "http://%00",
    "http://169.254.169.254",
    "ftp://a",
    "http://127.0.0.1:0",
    "%s%n",
)
HONEST_SHARE = 0.5
KEPT_ANSWERS = 20
ANSWER_S = 30.0


@dataclass
class Answer:
    """What the provider behind says, and what else there is to say: earlier answers on the same path."""

    status: int
    body: bytes
    earlier: list[bytes]
    writer: asyncio.StreamWriter

    async def send(
        self, body: bytes | None = None, *, status: int | None = None, more: str = "", length: int | None = None
    ) -> None:
        content = self.body if body is None else body
        head = f"HTTP/1.1 {status or self.status} X\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(content) if length is None else length}\r\nconnection: close\r\n{more}\r\n"
        self.writer.write(head.encode("latin-1") + content)
        await self.writer.drain()


async def refused(answer: Answer, draws: random.Random) -> None:
    await answer.send(b"\xff" * 200, status=draws.choice([204, 301, 400, 404, 429, 500, 503, 599, 999, 100]))


async def cut_midway(answer: Answer, draws: random.Random) -> None:
    await answer.send(answer.body[: draws.randrange(len(answer.body) + 1)], length=len(answer.body) + 1)


async def trickled(answer: Answer, draws: random.Random) -> None:
    """A byte at a time, as slowly as a read's time-out bears."""
    await answer.send(b"", length=len(answer.body))
    for place in range(min(len(answer.body), 30)):
        answer.writer.write(answer.body[place : place + 1])
        await answer.writer.drain()
        await asyncio.sleep(draws.random())


async def endless(answer: Answer, draws: random.Random) -> None:
    answer.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(2_000):
        if answer.writer.is_closing():
            return
        answer.writer.write(b"10000\r\n" + b"[" * 65_536 + b"\r\n")
        await answer.writer.drain()


async def nested(answer: Answer, draws: random.Random) -> None:
    await answer.send(
        draws.choice([b"[" * 100_000, b'{"a":' * 30_000, b"9" * 100_000, b'{"signature": "\\ud800"}', b"NaN", b""])
    )


async def bits_turned(answer: Answer, draws: random.Random) -> None:
    spoiled = bytearray(answer.body or b"\0")
    for _ in range(draws.randrange(1, 8)):
        spoiled[draws.randrange(len(spoiled))] ^= 1 << draws.randrange(8)
    await answer.send(bytes(spoiled))


async def said_before(answer: Answer, draws: random.Random) -> None:
    """A right answer to an earlier question."""
    await answer.send(draws.choice(answer.earlier) if answer.earlier else b"{}")


async def late(answer: Answer, draws: random.Random) -> None:
    await asyncio.sleep(draws.choice([1.0, 3.0, 12.0]))
    await answer.send()


async def sent_elsewhere(answer: Answer, draws: random.Random) -> None:
    where = draws.choice(
        ["http://169.254.169.254/", "file:///etc/passwd", "http://127.0.0.1:1/", "//[", "\xe9", "/" * 3_000]
    )
    await answer.send(b"", status=draws.choice([301, 302, 307, 308]), more=f"location: {where}\r\n")


async def odd_head(answer: Answer, draws: random.Random) -> None:
    many = "".join(f"x-{n}: {'a' * 200}\r\n" for n in range(draws.choice([1, 500])))
    await answer.send(
        more=many
        + draws.choice(["x: \xe9\r\n", "content-encoding: gzip\r\n", "transfer-encoding: chunked\r\n", ": \r\n"])
    )


async def inflated(answer: Answer, draws: random.Random) -> None:
    """A small body that says it is packed, and is not; a length that nothing holds."""
    await answer.send(draws.randbytes(50), length=draws.choice([2**40, 2**63, 10**30]))


TRICKS: dict[str, Callable[[Answer, random.Random], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        refused,
        cut_midway,
        trickled,
        endless,
        nested,
        bits_turned,
        said_before,
        late,
        sent_elsewhere,
        odd_head,
        inflated,
    )
}


@dataclass
class HostileDevice:
    """A proxy on `port` in front of the daemon at `behind`. Honest until it is `hostile`; with `only` it plays that
    trick and always."""

    port: int
    behind: str
    seed: int
    hostile: bool = False
    only: str | None = None
    played: Played = field(default_factory=lambda: Played("device"))
    _earlier: dict[str, list[bytes]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> HostileDevice:
        self._draws = drawn_from(self.seed, "device")
        self._client = httpx2.AsyncClient(timeout=ANSWER_S, trust_env=False, verify=False)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(*MET, httpx2.HTTPError):
                await self._answer(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        length = int({name.lower(): value for name, value in headers.items()}.get("content-length", "0"))
        body = await reader.readexactly(length)
        passed = {
            name: value for name, value in headers.items() if name.lower().startswith(("x-", "content-type", "accept"))
        }
        found = await self._client.request(method, self.behind + target, content=body, headers=passed)
        path = target.split("?", 1)[0]
        earlier = self._earlier.setdefault(path, [])
        answer = Answer(found.status_code, found.content, list(earlier), writer)
        earlier.append(found.content)
        del earlier[:-KEPT_ANSWERS]
        name = self.only or self._draws.choice(list(TRICKS))
        honest = self.only is None and self._draws.random() < HONEST_SHARE
        if not self.hostile or honest or path in (paths.LIVEZ, paths.READYZ):
            await answer.send()
            return
        self.played.tricks[name] += 1
        await TRICKS[name](answer, self._draws)
