"""Virtual time beside a real node: it jumps to the next timer, but never while a request is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.unit.validator.simulation.virtual_time import VirtualLoop, _end_all


class PacedLoop(VirtualLoop):
    """`on_its_way` counts requests of which an answer is awaited from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.on_its_way = 0

    def _run_once(self) -> None:
        # Below zero where whoever asked has gone, and the answer is still late on purpose.
        if self.on_its_way > 0:
            asyncio.SelectorEventLoop._run_once(self)
        else:
            super()._run_once()


@contextmanager
def awaited(requests: int = 1) -> Iterator[None]:
    """Time stands still within; with -1 it may go on within, for an answer that is late on purpose."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PacedLoop)
    loop.on_its_way += requests
    try:
        yield
    finally:
        loop.on_its_way -= requests


async def late(seconds: float) -> None:
    """Sleeps although an answer is awaited."""
    with awaited(-1):
        await asyncio.sleep(seconds)


class PacedTransport(httpx2.AsyncBaseTransport):
    """HTTP over real sockets, during which time stands still."""

    def __init__(self) -> None:
        self._inner = httpx2.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        with awaited():
            response = await self._inner.handle_async_request(request)
            try:
                body = b"".join([piece async for piece in response.stream])
            finally:
                await response.aclose()
        return httpx2.Response(response.status_code, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs to the end."""
    loop = PacedLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_end_all())
        loop.close()
