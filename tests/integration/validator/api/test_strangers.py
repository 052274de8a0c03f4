"""What strangers post to a validator, over real sockets: a node in the middle of an epoch, and 23 MB at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

import pytest

from assay.network.connections import ConnectionLimits
from assay.network.request_buckets import RequestBuckets
from assay.network.server import listening_socket, server, serving
from assay.protocol import signing
from assay.protocol.epochs import Phase
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.validator.api.app import create_app
from assay.validator.api.services import ApiServices
from assay.wire import paths
from assay.wire.gossip import InventoryMessage
from assay.wire.post_headers import PostHeaders, post_statement
from tests.unit.validator.simulation.chain import DOMAIN
from tests.unit.validator.simulation.network import SimNetwork, reachability_of, seat_key
from tests.unit.validator.simulation.virtual_time import run

ENTRIES = 100_000  # 23 MB


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> SimNetwork:
    """A node in the middle of an epoch."""
    patch = pytest.MonkeyPatch()
    patch.setattr(signing, "recover", lru_cache(maxsize=None)(signing.recover))
    network = SimNetwork(tmp_path_factory.mktemp("strangers"))

    async def half_an_epoch() -> None:
        work = asyncio.create_task(network.run(1))
        await asyncio.sleep(1)
        while network.phase(0) < Phase.SEALED:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        network.kept = network.nodes[1]
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    run(half_an_epoch())
    patch.undo()
    return network


@pytest.fixture(scope="module")
def long_body(network: SimNetwork) -> bytes:
    """An inventory of a real seat, of the epoch at work, with a signature of nobody."""
    record = network.kept.inbox._record(0)
    entries = [
        {"deviceId": to_hex(n.to_bytes(32, "big")), "digest": to_hex(bytes(32)), "lanes": to_hex(bytes(32))}
        for n in range(1, ENTRIES + 1)
    ]
    content = {"epochSeed": to_hex(record.context.epoch_seed), "entries": entries}
    message = {
        "kind": "inventory",
        "epoch": 0,
        "setId": record.context.set_id,
        "seat": seat_key(0).address,
        "content": content,
        "signature": to_hex(bytes([1]) * 64),
    }
    return json.dumps(message, separators=(",", ":")).encode()


@asynccontextmanager
async def validator(network: SimNetwork) -> AsyncIterator[int]:
    node = network.kept
    services = ApiServices(
        inbox=node.inbox,
        publication=node.publication,
        store=node.daemon.services.store,
        limit=RequestBuckets(1e9, 1e9, lambda: 0.0),
        status=lambda: {"epochs": {}},
        unready=lambda: [],
        metrics=lambda: b"",
        reachability=reachability_of(node),
    )
    listening = listening_socket("127.0.0.1", 0, ConnectionLimits(200, 200))
    port = int(listening.getsockname()[1])
    async with serving(server(create_app(services)), listening):
        yield port


def said(network: SimNetwork, body: bytes, signer: int, path: str = paths.INVENTORIES) -> dict[str, str]:
    """The headers of a post that names seat 0, signed by the key of some seat."""
    set_id = network.kept.inbox._record(0).context.set_id
    statement = post_statement(path, 0, set_id, keccak(body))
    signature = seat_key(signer).sign_digest(statement.digest(DOMAIN))
    return PostHeaders(seat_key(0).address, 0, set_id, keccak(body), signature).to_headers()


def head(path: str, length: int, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: a", f"content-length: {length}", "content-type: application/json"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


async def status_of(reader: asyncio.StreamReader, within_s: float) -> int:
    line = await asyncio.wait_for(reader.readline(), within_s)
    return int(line.split()[1])


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that parsed an inventory, one entry a call."""
    threads: list[threading.Thread] = []
    parse = InventoryMessage.parse

    def recorded(body: bytes | str) -> InventoryMessage:
        threads.append(threading.current_thread())
        return parse(body)

    monkeypatch.setattr(InventoryMessage, "parse", recorded)
    return threads


@pytest.mark.parametrize("signer", [None, 3])
async def test_long_message__that_no_seat_answers_for__is_refused_before_it_is_sent(network, signer) -> None:
    headers = {} if signer is None else said(network, b"body", signer)
    async with validator(network) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(paths.INVENTORIES, 23 << 20, headers))
        assert await status_of(reader, 60) == 401
        writer.close()


async def test_long_message__of_another_body_than_was_signed__is_refused_unparsed(network, long_body, parsing) -> None:
    async with validator(network) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        headers = said(network, b"another", 0)
        writer.write(head(paths.INVENTORIES, len(long_body), headers))
        for start in range(0, len(long_body), 1 << 20):
            writer.write(long_body[start : start + (1 << 20)])
            await writer.drain()
        assert await status_of(reader, 60) == 401
        writer.close()
    assert not parsing


async def test_long_message__of_a_seat__is_parsed_beside_the_loop(network, long_body, parsing) -> None:
    headers = said(network, long_body, 0)
    async with validator(network) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(paths.INVENTORIES, len(long_body), headers))
        for start in range(0, len(long_body), 1 << 20):
            writer.write(long_body[start : start + (1 << 20)])
            await writer.drain()
        status = await status_of(reader, 60)
        writer.close()
    assert status == 401  # the inventory's own signature is nobody's
    assert len(parsing) == 1
    assert parsing[0] is not threading.current_thread()  # which is the loop's


async def test_message__of_a_seat__is_answered_for_one_path_and_one_body(network) -> None:
    record = network.kept.inbox._record(0)
    stored = [m.body for m in network.kept.daemon.services.store.messages(0) if m.kind == "inventory"]
    body = next(one for one in stored if InventoryMessage.parse(one).seat == seat_key(0).address)
    right = said(network, body, 0)
    statuses = []
    async with validator(network) as port:
        for path, headers in [
            (paths.INVENTORIES, right),
            (paths.INVENTORIES, said(network, body + b" ", 0)),
            (paths.OBSERVATIONS, right),
            (paths.INVENTORIES, {**right, "x-assay-epoch": "7"}),
            (paths.INVENTORIES, {**right, "x-assay-seat": "0x" + "11" * 20}),
            (paths.INVENTORIES, {**right, "x-assay-signature": "0x\xe9"}),
        ]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head(path, len(body), headers).decode().encode("latin-1") + body)
            statuses.append(await status_of(reader, 5))
            writer.close()
    assert record.context.epoch == 0
    assert statuses == [200, 401, 401, 503, 403, 401]


async def test_message__without_a_declared_length__is_not_taken(network) -> None:
    async with validator(network) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        headers = "\r\n".join(f"{name}: {value}" for name, value in said(network, b"{}", 0).items())
        post = f"POST {paths.INVENTORIES} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n{headers}\r\n\r\n"
        writer.write(post.encode())
        assert await status_of(reader, 2) == 411
        writer.close()
