"""Responses that never end, to the client that validators ask devices with; the transport alone is made up."""

from __future__ import annotations

import asyncio
import itertools
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from functools import cache
from http import HTTPStatus

from assay.network.client import Client
from assay.network.exchange import Request, Response
from assay.proof import openings
from assay.proof.adversaries.arena import PROFILE
from assay.proof.adversaries.attack import Attack
from assay.protocol.types import DeviceId
from assay.validator.devices.device_client import DeviceClient
from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import EpochDevice

_LIMIT_S = 0.02
_DEVICE = EpochDevice(
    DeviceId(bytes(32)), "", "", PROFILE.id, "http://device.example", leased=False, tls_fingerprint=bytes([1]) * 32
)

Body = Callable[[], AsyncIterator[bytes]]


class _Response:
    """What the client looks at of a response."""

    status: int = HTTPStatus.OK
    content_type = "application/octet-stream"

    def __init__(self, body: Body) -> None:
        self._body = body

    def pieces(self) -> AsyncIterator[bytes]:
        return self._body()

    def close(self) -> None:
        """There is no connection."""


class _Exchange:
    """Answers every request with a body that never ends."""

    def __init__(self, body: Body) -> None:
        self._body = body

    async def send(self, _: Request) -> Response:
        return _Response(self._body)

    async def close(self) -> None:
        """There are no connections."""


@cache
def _client(body: Body) -> DeviceClient:
    return DeviceClient(Client(_Exchange(body)))


async def _endless() -> AsyncIterator[bytes]:
    for _ in itertools.count():
        yield bytes(1 << 16)


async def _trickle() -> AsyncIterator[bytes]:
    for _ in itertools.count():
        yield b"\0"
        await asyncio.sleep(_LIMIT_S / 10)


def _given_up(body: Body) -> Callable[[int], bool]:
    """Whether the client gives up in time, with little more in memory than a right answer has."""

    def trial(seed: int) -> bool:
        most = openings.length(PROFILE, 1 + seed % PROFILE.k)
        started = time.monotonic()
        tracemalloc.start()
        try:
            asyncio.run(_client(body).opening(_DEVICE, b"{}", most, _LIMIT_S))
        except DeviceFailure:
            _, peak = tracemalloc.get_traced_memory()
            return peak < 4 * most + (1 << 20) and time.monotonic() - started < 100 * _LIMIT_S
        finally:
            tracemalloc.stop()
        return False

    return trial


ATTACKS = [
    Attack(
        "endless-response",
        "an opening that goes on and on; caught means given up in little memory",
        _given_up(_endless),
    ),
    Attack("slow-response", "an opening byte by byte; caught means given up at the deadline", _given_up(_trickle)),
]
