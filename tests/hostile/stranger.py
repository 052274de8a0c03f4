"""A stranger with sockets: everything that can be sent to a daemon without a key."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from assay.wire import paths
from tests.hostile.tricks import MET

HOLD_S = 1.5
GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-x\r\n",
    b"\0" * 512,
    b"\xff\xfe",
)


@dataclass(frozen=True)
class Target:
    """A daemon that listens on this machine: its kind, and what strangers can read of the network."""

    kind: str  # validator, provider, market, ssh
    port: int
    devices: tuple[str, ...] = ()
    seats: tuple[str, ...] = ()
    epoch: int = 0
    leases: tuple[int, ...] = (1,)


@asynccontextmanager
async def connection(target: Target) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(*MET):
            await writer.wait_closed()


async def say(target: Target, sent: bytes, wait_s: float = 3.0) -> bytes:
    """What comes back first, if anything does."""
    async with connection(target) as (reader, writer):
        writer.write(sent)
        with suppress(*MET):
            await writer.drain()
            return await asyncio.wait_for(reader.read(1 << 16), wait_s)
    return b""


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: a", f"content-length: {len(body)}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def posted_to(target: Target, draws: random.Random) -> str:
    """A path that takes posts."""
    lease = paths.lease(draws.choice(target.leases))
    return draws.choice(
        {
            "validator": [*sorted(paths.MESSAGES)],
            "provider": [
                paths.CHALLENGES,
                paths.PROBES,
                paths.LANES,
                paths.OPENINGS,
                paths.QUOTES,
                lease + paths.JOBS,
                lease + paths.HANDOVER,
                lease + paths.START,
                lease + paths.LOGIN,
                lease + paths.SSH_KEYS,
            ],
        }.get(target.kind, [f"/relay{lease}/jobs"])
    )


def read_from(target: Target, draws: random.Random) -> str:
    """A path that is read."""
    lease, device = paths.lease(draws.choice(target.leases)), draws.choice(target.devices or ("0x" + "11" * 32,))
    return draws.choice(
        {
            "validator": [
                paths.epoch(draws.randrange(target.epoch + 2)),
                paths.STATUS,
                paths.METRICS,
                paths.content(draws.randbytes(32)),
                f"/v1/epochs/{draws.randrange(9)}/openings/{device}",
                f"/v1/epochs/{2**63 - 1}/devices/{device}",
                "/v1/epochs/0/rewards/0x" + "00" * 20,
            ],
            "provider": [
                paths.OFFERS,
                paths.LOGIN_NONCE,
                lease,
                lease + paths.JOBS,
                lease + paths.FILES,
                f"/v1/devices/{device}",
                f"/v1/devices/{device}/live?nonce=0x{draws.randbytes(32).hex()}",
                f"{lease}/notebook/lab",
            ],
        }.get(target.kind, ["/", "/v1/devices", "/v1/stream", "/v1/leases", f"/relay{lease}", "/v1/epochs"])
    )


async def garbage_bytes(target: Target, draws: random.Random) -> None:
    await say(target, draws.choice(GARBAGE) + draws.randbytes(draws.randrange(2_000)), 1.0)


async def half_sent_requests(target: Target, draws: random.Random) -> None:
    """Many connections that begin a request and say no more."""

    async def one() -> None:
        async with connection(target) as (_, writer):
            writer.write(request("POST", posted_to(target, draws))[: draws.randrange(1, 60)])
            await asyncio.sleep(HOLD_S)

    await asyncio.gather(*(one() for _ in range(draws.randrange(20, 120))), return_exceptions=True)


async def connections_cut_at_once(target: Target, draws: random.Random) -> None:
    """Reset, not closed."""
    for _ in range(draws.randrange(10, 60)):
        _, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER of nothing
        writer.write(request("GET", read_from(target, draws)))
        writer.transport.abort()


async def long_post_unsigned(target: Target, draws: random.Random) -> None:
    """23 MB said, and some of it sent, in the name of a real seat."""
    seat = draws.choice(target.seats or ("0x" + "22" * 20,))
    headers = {
        "x-assay-seat": seat,
        "x-assay-epoch": str(target.epoch),
        "x-assay-set": "0",
        "x-assay-body-hash": "0x" + draws.randbytes(32).hex(),
        "x-assay-signature": "0x" + draws.randbytes(64).hex(),
        "content-length": str(23 << 20),
    }
    head = "\r\n".join(
        [f"POST {posted_to(target, draws)} HTTP/1.1", "host: a", *map(": ".join, headers.items()), "", ""]
    )
    async with connection(target) as (reader, writer):
        writer.write(head.encode())
        for _ in range(draws.randrange(1, 24)):
            writer.write(draws.randbytes(1 << 20))
            await writer.drain()
        await asyncio.wait_for(reader.read(1 << 16), 2)


async def odd_headers(target: Target, draws: random.Random) -> None:
    """Bytes that are not ASCII, in every header that is read."""
    names = [
        "x-assay-signature",
        "x-assay-issued-at",
        "x-assay-seat",
        "x-assay-epoch",
        "authorization",
        "cookie",
        "host",
        "last-event-id",
        "origin",
        "accept",
        "content-type",
        "range",
        "forwarded",
        "x-forwarded-for",
    ]
    values = [
        "\xe9\xff",
        "Bearer \xe9",
        "0x\xe9",
        "-1",
        "9" * 400,
        "٣",
        "",
        " " * 300,
        "a=b; a=b; \x80",
        "bytes=9-1,-,--",
    ]
    for _ in range(40):
        headers = {name: draws.choice(values) for name in draws.sample(names, 4)}
        path = draws.choice([read_from(target, draws), posted_to(target, draws)])
        await say(target, request(draws.choice(["GET", "POST", "PUT", "DELETE"]), path, b"{}", headers), 1.0)


async def wrong_lengths(target: Target, draws: random.Random) -> None:
    path = posted_to(target, draws)
    for length in ("-1", "1e9", "99999999999999999999", "0x10", "5, 5", "٣", ""):
        await say(target, f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{{}}".encode(), 1.0)
    smuggled = b"0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
    both = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    await say(target, both + smuggled, 1.0)


async def endless_chunks(target: Target, draws: random.Random) -> None:
    async with connection(target) as (reader, writer):
        head = f"POST {posted_to(target, draws)} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        for _ in range(20):
            writer.write(b"1\r\n{\r\n")
            await writer.drain()
            await asyncio.sleep(HOLD_S / 20)
        await asyncio.wait_for(reader.read(1), 1)


async def odd_json(target: Target, draws: random.Random) -> None:
    """Bodies that parse oddly, or not at all."""
    deep = b"[" * draws.choice([1_000, 60_000])
    odd = [
        deep,
        b'{"a":' * 5_000,
        b"1" * 5_000,
        b"NaN",
        b'{"epoch": 1e400}',
        b'{"epoch": -0.0}',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"deviceId": ["0x"]}',
        b'{"content": {"deviceId": null, "rho": 7}}',
        b'{"deviceIds": []}',
        b'{"epoch": true, "rows": [true]}',
        b'{"a": 1, "a": 2}',
        b"\0",
        b"null",
        b"[]",
        json.dumps({"epoch": 2**70, "content": {"deviceId": "0x" + "ee" * 32, "rows": [2**70] * 50}}).encode(),
    ]
    for body in draws.sample(odd, 6):
        await say(target, request("POST", posted_to(target, draws), body), 2.0)


async def odd_paths(target: Target, draws: random.Random) -> None:
    known = read_from(target, draws)
    odd = [
        "/%00",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/%ff%fe",
        "*",
        "http://[",
        "http://a/..",
        known + "%",
        "?" * 900,
        known + "/" + "a" * 8_000,
        known.replace("0x", "0X"),
        known + "?after=%ff&follow=true&offset=-1",
        known + "%0d%0a:",
        "/static/../../pyproject.toml",
        "/static/%2e%2e/app.py",
        known + "?" + "a=b&" * 2_000,
        "/relay/v1/leases/0x1",
    ]
    for path in draws.sample(odd, 8):
        await say(target, request(draws.choice(["GET", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"]), path), 1.0)


async def many_at_once(target: Target, draws: random.Random) -> None:
    """The same question of many, which cost a daemon a look at its store or its chain."""
    path = read_from(target, draws)
    asked = (say(target, request("GET", path), 3.0) for _ in range(draws.randrange(40, 200)))
    await asyncio.gather(*asked, return_exceptions=True)


async def streams_held_open(target: Target, draws: random.Random) -> None:
    """Answers that nobody reads."""

    async def one() -> None:
        async with connection(target) as (_, writer):
            writer.write(request("GET", "/v1/stream" if target.kind == "market" else read_from(target, draws)) * 20)
            await asyncio.sleep(HOLD_S)

    await asyncio.gather(*(one() for _ in range(40)), return_exceptions=True)


async def nonces_of_logins(target: Target, draws: random.Random) -> None:
    path = paths.LOGIN_NONCE if target.kind == "provider" else read_from(target, draws)
    async with connection(target) as (reader, writer):
        for _ in range(draws.randrange(100, 400)):
            writer.write(request("GET", path))
        await writer.drain()
        await asyncio.wait_for(reader.read(1 << 16), 2)


async def login_for_elsewhere(target: Target, draws: random.Random) -> None:
    """A login of another site, sent with that site as Host; forged ones of a renter."""
    message = (
        f"evil.example wants you to sign in with your Ethereum account:\n0x{'11' * 20}\n\nURI: https://evil.example"
    )
    body = json.dumps({"message": message, "signature": "0x" + draws.randbytes(65).hex()}).encode()
    for _ in range(15):
        path = paths.lease(draws.choice(target.leases)) + paths.LOGIN
        await say(target, request("POST", path, body, {"host": "evil.example"}), 1.0)


async def openings_of_old_epochs(target: Target, draws: random.Random) -> None:
    for epoch in range(max(0, target.epoch - 6), target.epoch + 1):
        device = draws.choice(target.devices or ("0x" + "11" * 32,))
        content = {"deviceId": device, "rho": "0x" + draws.randbytes(32).hex()}
        body = json.dumps({"epoch": epoch, "content": content}).encode()
        await say(target, request("POST", paths.OPENINGS, body), 2.0)
        body = json.dumps({"epoch": epoch, "deviceId": device, "rho": content["rho"]}).encode()
        await say(target, request("POST", paths.LANES, body), 1.0)


async def quotes_of_many_lengths(target: Target, draws: random.Random) -> None:
    """Each asks the provider for a price of its own."""

    async def one(seconds: int) -> None:
        body = {
            "deviceIds": [draws.choice(target.devices)],
            "renter": "0x" + draws.randbytes(20).hex(),
            "seconds": seconds,
        }
        await say(target, request("POST", paths.QUOTES, json.dumps(body).encode()), 3.0)

    if target.devices:
        await asyncio.gather(*(one(60 + n) for n in range(draws.randrange(20, 80))), return_exceptions=True)


async def unsigned_lease_requests(target: Target, draws: random.Random) -> None:
    """Jobs, files and streams of leases that are somebody else's, or nobody's."""
    for _ in range(20):
        lease = paths.lease(draws.choice([*target.leases, 0, 2**63, 2**64, 10**30]))
        where = draws.choice(["/jobs", "/files", "/files/..%2f..%2fx", "/jobs/x/output?follow=true", "/notebook", ""])
        headers = {
            "x-assay-signature": "0x" + draws.randbytes(64).hex(),
            "x-assay-issued-at": str(draws.getrandbits(40)),
        }
        prefix = "/relay" if target.kind == "market" else ""
        method = draws.choice(["GET", "PUT", "POST", "DELETE"])
        await say(target, request(method, prefix + lease + where, draws.randbytes(64), headers), 1.0)


async def half_a_websocket(target: Target, draws: random.Random) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": key}
    where = draws.choice(
        [paths.lease(draws.choice(target.leases), "/notebook/api/kernels/x/channels"), read_from(target, draws)]
    )
    await say(target, request("GET", where, b"", headers) + b"\x81\xfe\xff\xff", 1.0)


TRICKS = {
    one.__name__: one
    for one in (
        garbage_bytes,
        half_sent_requests,
        connections_cut_at_once,
        long_post_unsigned,
        odd_headers,
        wrong_lengths,
        endless_chunks,
        odd_json,
        odd_paths,
        many_at_once,
        streams_held_open,
        nonces_of_logins,
        login_for_elsewhere,
        openings_of_old_epochs,
        quotes_of_many_lengths,
        unsigned_lease_requests,
        half_a_websocket,
    )
}
