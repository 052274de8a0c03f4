"""What a relay adds, on one machine's loopback, in one run, in turn: the same TLS server behind it and beside it.

Relay, provider and caller are a process each. Latency is that of 64 bytes there and back on an open connection, and of
a new connection with one message; throughput is that of one stream out of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from assay.chain.certificate import create_certificate, fingerprint_in, server_context
from assay.chain.key_files import Key
from assay.network.connections import ConnectionLimits
from assay.network.origins import Origin
from assay.network.pinned_tls import pinned_context
from assay.network.port_range import PortRange
from assay.network.server import listening_socket
from assay.protocol.encoding import device_id
from assay.protocol.signing import Domain
from assay.provider.relayed.relay_client import Identity, RelayClient, local_opener, relay_opener
from assay.relay.admission import Listed
from assay.relay.limits import RelayLimits
from assay.relay.port_book import PortBook, PortRules
from assay.relay.relay import Relay, public_listener
from benchmarks.proof.machine import machine, write

HOST, ACCOUNT, KEY = "127.0.0.1", "0x1111111111111111111111111111111111111111", b"\x01" * 32
DOMAIN = Domain(31_337, ACCOUNT)
SMALL, BLOCK = 64, 1 << 16
# Nothing of what is measured is to be held up on purpose.
OPEN = RelayLimits(dials_per_s=1e6, dials_burst=1e6, bytes_per_s=1e12, streams_each=256)


def fingerprint(folder: Path) -> bytes:
    found = fingerprint_in(folder)
    assert found is not None
    return found


def tls(folder: Path) -> ssl.SSLContext:
    made = server_context(folder)
    assert made is not None
    return made


def relay_process(folder: Path, told: Connection) -> None:
    """A relay; tells its port."""

    async def run() -> None:
        public, control = free_port(), listening_socket(HOST, 0)
        book = PortBook(":memory:", PortRules(PortRange(public, public), 4, 3_600), time.time)
        listen = public_listener(HOST, ConnectionLimits(1_000, 1_000))
        admission = Listed({device_id(ACCOUNT, Key(KEY).address)})
        relay = Relay(admission, book, DOMAIN, fingerprint(folder / "relay"), listen, OPEN)
        await relay.serve(control, tls(folder / "relay"))
        told.send(int(control.getsockname()[1]))
        await asyncio.Event().wait()

    asyncio.run(run())


def provider_process(folder: Path, relay_port: int, told: Connection) -> None:
    """A TLS server that echoes 64 bytes, and sends the blocks that it is asked for; tells its port and the relay's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                said = await reader.readexactly(SMALL)
                for _ in range(int.from_bytes(said[:4], "big")):
                    writer.write(bytes(BLOCK))
                    await writer.drain()
                writer.write(said)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, HOST, 0, ssl=tls(folder / "provider"))
        own, pin = int(server.sockets[0].getsockname()[1]), fingerprint(folder / "relay")
        identity = Identity(ACCOUNT, Key(KEY).sign_digest, DOMAIN, pin)
        client = RelayClient(
            relay_opener(Origin("https", HOST, relay_port), pin),
            local_opener([own]),
            identity,
            1,
            lambda ports: told.send((own, ports[0])) if ports else None,
        )
        await client.run()

    asyncio.run(run())


def free_port() -> int:
    with socket.create_server((HOST, 0)) as one:
        return int(one.getsockname()[1])


def opened(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    made = context.wrap_socket(socket.create_connection((HOST, port), 30))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def ask(made: ssl.SSLSocket, blocks: int = 0) -> None:
    """One message there, so many blocks and it back."""
    made.sendall(blocks.to_bytes(4, "big") + bytes(SMALL - 4))
    left = blocks * BLOCK + SMALL
    while left:
        left -= len(made.recv(min(left, BLOCK)))


def milliseconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return 1_000 * (time.perf_counter() - began)


def once(context: ssl.SSLContext, port: int) -> None:
    with opened(context, port) as made:
        ask(made)


def measure(folder: Path, count: int, blocks: int) -> dict[str, Any]:
    """p50 and p99 in milliseconds, and the median MiB a second, of both ways, which take turns."""
    pin = create_certificate(folder / "provider")
    create_certificate(folder / "relay", "assay-relay")
    processes = multiprocessing.get_context("spawn")
    heard, told = processes.Pipe(False)
    relay = processes.Process(target=relay_process, args=(folder, told), daemon=True)
    relay.start()
    provider = processes.Process(target=provider_process, args=(folder, heard.recv(), told), daemon=True)
    provider.start()
    try:
        direct, relayed = heard.recv()
        ways, context = {"direct": direct, "relayed": relayed}, pinned_context(pin)
        kept = {name: opened(context, port) for name, port in ways.items()}
        requests: dict[str, list[float]] = {name: [] for name in ways}
        connections: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(count):
            for name, port in ways.items():
                requests[name].append(milliseconds(lambda name=name: ask(kept[name])))  # type: ignore[misc]
                if number % 10 == 0:
                    connections[name].append(milliseconds(lambda port=port: once(context, port)))  # type: ignore[misc]
        for _ in range(5):
            for name in ways:
                spent = milliseconds(lambda name=name: ask(kept[name], blocks))  # type: ignore[misc]
                rates[name].append(blocks * BLOCK / (1 << 20) / (spent / 1_000))
        return {
            "request": {name: quantiles(times) for name, times in requests.items()},
            "connection": {name: quantiles(times) for name, times in connections.items()},
            "mibPerSecond": {name: round(statistics.median(found), 1) for name, found in rates.items()},
        }
    finally:
        for process in (provider, relay):
            process.kill()
            process.join()


def quantiles(times: list[float]) -> dict[str, float]:
    return {
        "p50Ms": round(statistics.median(times), 3),
        "p99Ms": round(statistics.quantiles(times, n=100)[98], 3),
    }


def main() -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--blocks", type=int, default=1_024, help="of 64 KiB, in one answer")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given, before = parser.parse_args(), machine()
    with tempfile.TemporaryDirectory() as name:
        measured = measure(Path(name), given.count, given.blocks)
    result = {"machine": before, "count": given.count, "blocks": given.blocks, **measured}
    write(given.out, result)
    print(result)


if __name__ == "__main__":
    main()
