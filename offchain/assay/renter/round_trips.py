"""Round trips from this machine: how long a TCP connection takes to open, the least of a few."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from assay.network.addresses import Addresses
from assay.network.errors import BadOrigin, NetworkError
from assay.network.origins import parse_origin

TRIES = 3
TIMEOUT_S = 3.0
AT_ONCE = 32
Connect = Callable[[str, int], Awaitable[None]]


def open_and_close(addresses: Addresses) -> Connect:
    """One connection. A SYN and its answer are one round trip, whatever the server then does."""

    async def connect(host: str, port: int) -> None:
        _, writer = await asyncio.open_connection((await addresses.of(host, port))[0], port)
        writer.close()

    return connect


async def round_trip_ms(endpoint: str, connect: Connect) -> float | None:
    """Milliseconds to an endpoint; None where it cannot be reached within three seconds."""
    try:
        origin = parse_origin(endpoint)
    except BadOrigin:
        return None
    best: float | None = None
    for _ in range(TRIES):
        started = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await connect(origin.host, origin.port)
        except (OSError, TimeoutError, NetworkError):
            return best
        taken = (time.perf_counter() - started) * 1000
        best = taken if best is None else min(best, taken)
    return best


async def round_trips(endpoints: Iterable[str], connect: Connect) -> dict[str, float]:
    """Milliseconds by endpoint, of those that can be reached."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(endpoint: str) -> tuple[str, float | None]:
        async with gate:
            return endpoint, await round_trip_ms(endpoint, connect)

    measured = await asyncio.gather(*(one(endpoint) for endpoint in sorted(set(endpoints)) if endpoint))
    return {endpoint: taken for endpoint, taken in measured if taken is not None}
