"""A notebook behind the login: HTTP and WebSockets reach a server in a network of its own, for its renter only."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.network.server import listening_socket, server
from assay.protocol.messages import Offer
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.logins import Logins
from assay.provider.access.reverse_proxy import ReverseProxy
from assay.provider.api.notebook_routes import notebook_routes
from assay.provider.errors import ProviderError
from assay.provider.runtime.workload import Room
from tests.integration.provider.conftest import running_lease
from tests.unit.provider.conftest import DEVICE_ID, OFFER

BASE = "/v1/leases/3/notebook"
INSIDE = """
from aiohttp import web

async def show(request):
    body = (await request.read()).decode()
    answer = web.json_response({"path": request.raw_path, "host": request.host, "body": body,
                                "headers": {n.lower(): v for n, v in request.headers.items()}})
    answer.set_cookie("first", "1")
    answer.set_cookie("second", "2")
    return answer

async def kernel(request):
    socket = web.WebSocketResponse(protocols=["v1.kernel"])
    await socket.prepare(request)
    async for message in socket:
        if message.type is web.WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
        else:
            await socket.send_bytes(message.data[::-1])
    return socket

async def started(application):
    print("listens", flush=True)

async def serve():
    application = web.Application()
    application.router.add_get("/v1/leases/3/notebook/kernel", kernel)
    application.router.add_route("*", "/{path:.*}", show)
    return application

async def main():
    runner = web.AppRunner(await serve())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8888).start()
    print("listens", flush=True)
    await asyncio.Event().wait()

import asyncio
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-", sys.executable, "-c", INSIDE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"listens\n":
        pytest.skip("needs the right to make network namespaces")
    yield Room("book", process.pid)
    process.kill()
    process.wait()


class World:
    """A provider's notebook routes on a socket, a client that is logged in, and one that is not."""

    def __init__(self, room: Room) -> None:
        self.lease = running_lease(3)
        self.rooms = [room]

        async def lease(lease_id: int) -> Lease | None:
            return self.lease if lease_id == 3 else None

        async def offer_of(_: Lease) -> Offer:
            return OFFER

        async def no_contract(*_: Any) -> bool:
            return False

        self.ports = LeasePorts(lambda _: self.rooms)
        self.services: Any = SimpleNamespace(
            devices={DEVICE_ID: None},
            leases=SimpleNamespace(lease=lease),
            lease_offers=SimpleNamespace(of=offer_of),
            logins=Logins(31337, no_contract, time.time),
            notebooks=SimpleNamespace(running=lambda _: "book" if self.rooms else None),
            proxy=ReverseProxy(self.ports),
            clock=time.time,
        )

    async def login(self, client: aiohttp.ClientSession) -> None:
        ticket = self.services.logins.ticket(self.lease)
        answer = await client.get(f"{BASE}/open?ticket={ticket}", allow_redirects=False)
        assert answer.status == 303


@pytest.fixture
async def world(room: Room, tmp_path: Path) -> AsyncIterator[tuple[World, str]]:
    world = World(room)
    application = FastAPI()
    application.include_router(notebook_routes(world.services))

    @application.exception_handler(ProviderError)
    async def refused(_request: Any, error: ProviderError) -> Any:
        from fastapi.responses import JSONResponse

        return JSONResponse({"error": str(error)}, error.status)

    listening = listening_socket("127.0.0.1", 0)
    web = server(application)
    task = asyncio.create_task(web.serve(sockets=[listening]))
    yield world, f"http://127.0.0.1:{listening.getsockname()[1]}"
    await world.services.proxy.close()
    world.ports.close()
    web.should_exit = True
    await task


@pytest.fixture
async def client(world: tuple[World, str]) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # addresses instead of names
    async with aiohttp.ClientSession(world[1], cookie_jar=jar) as session:
        yield session


async def test_request__of_the_renter__reaches_the_notebook_without_our_own_cookie(
    world: tuple[World, str], client: aiohttp.ClientSession
) -> None:
    await world[0].login(client)
    answer = await client.put(f"{BASE}/api/a%20b?x=%26y", data=b"cell", headers={"x-xsrftoken": "t"})
    seen = await answer.json()
    assert (seen["path"], seen["body"]) == (f"{BASE}/api/a%20b?x=%26y", "cell")
    assert seen["host"] == world[1].removeprefix("http://") and seen["headers"]["x-xsrftoken"] == "t"
    assert "assay_notebook" not in str(seen["headers"])
    assert len(answer.headers.getall("set-cookie")) == 2
    # What the notebook sets comes back to it, ours still does not.
    again = await (await client.get(f"{BASE}/tree")).json()
    assert again["headers"]["cookie"] == "first=1; second=2"


async def test_websocket__of_the_renter__carries_text_and_bytes_both_ways(
    world: tuple[World, str], client: aiohttp.ClientSession
) -> None:
    await world[0].login(client)
    async with client.ws_connect(f"{BASE}/kernel", protocols=["v1.kernel"]) as socket:
        assert socket.protocol == "v1.kernel"
        await socket.send_str("execute")
        assert await socket.receive_str() == "EXECUTE"
        await socket.send_bytes(b"\x00\x01\x02" * 100_000)
        assert await socket.receive_bytes() == b"\x02\x01\x00" * 100_000


async def test_websocket__without_a_session_or_from_another_site__is_refused(
    world: tuple[World, str], client: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.ws_connect(f"{BASE}/kernel")
    await world[0].login(client)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.ws_connect(f"{BASE}/kernel", origin="https://evil.example")


async def test_request__lease_over_or_notebook_gone__reaches_nothing(
    world: tuple[World, str], client: aiohttp.ClientSession
) -> None:
    await world[0].login(client)
    running = world[0].lease
    world[0].lease = replace(running, status=LeaseStatus.ENDED)
    assert (await client.get(f"{BASE}/tree")).status == 409
    world[0].lease = running
    world[0].rooms = []
    assert (await client.get(f"{BASE}/tree")).status == 404


async def test_request__notebook_not_listening_yet__is_asked_to_come_again(
    world: tuple[World, str], client: aiohttp.ClientSession
) -> None:
    await world[0].login(client)
    world[0].services.notebooks = SimpleNamespace(running=lambda _: "not there yet")
    answer = await client.get(f"{BASE}/lab")
    assert answer.status == 503 and answer.headers["retry-after"] == "1"
