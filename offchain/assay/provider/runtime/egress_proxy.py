"""The only way out of a workload's network: an HTTP proxy on its loopback that this machine answers, by the rules.

The workload has no route, no interface and no name server: what the proxy does not connect to cannot be reached. Names
are resolved here and the address that was checked is the one connected to, so a name cannot change in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from assay.provider.runtime.egress_rules import Address, EgressRules, is_public

PORT = 3128
MAX_HEAD = 16 << 10
MAX_CONNECTIONS = 256
HEAD_S = 30.0
CONNECT_S = 10.0
IDLE_S = 600.0
PIECE = 1 << 16

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def proxy_environment() -> dict[str, str]:
    """The variables by which programs find the proxy."""
    address = f"http://127.0.0.1:{PORT}"
    found = {name: address for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    return {**found, "no_proxy": "localhost,127.0.0.1", "NO_PROXY": "localhost,127.0.0.1"}


def is_ours(address: Address) -> bool:
    """Whether this machine has the address on one of its interfaces."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


async def resolve(host: str, port: int) -> list[Address]:
    """Addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


async def connect(address: Address, port: int) -> Streams:
    """A connection from this machine."""
    return await asyncio.open_connection(str(address), port)


class EgressRefused(Exception):
    """A request that is not passed on: (status, reason)."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class EgressProxy:
    """Serves one workload. `look_up` and `dial` stand in for the network in tests."""

    def __init__(
        self,
        rules: EgressRules,
        look_up: Callable[[str, int], Awaitable[Sequence[Address]]] = resolve,
        dial: Callable[[Address, int], Awaitable[Streams]] = connect,
    ) -> None:
        self._rules = rules
        self._look_up = look_up
        self._dial = dial
        self._free = MAX_CONNECTIONS

    async def serve(self, listening: socket.socket) -> None:
        """Answers on a listening socket until it is cancelled."""
        server = await asyncio.start_server(self._answer, sock=listening, limit=MAX_HEAD)
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._free -= 1
        try:
            await self._pass_on(reader, writer)
        except EgressRefused as refused:
            body = f"{refused}\n".encode()
            head = f"HTTP/1.1 {refused.status}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n"
            writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
            with contextlib.suppress(OSError):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # One side went away, or never came: there is nobody to tell.
        finally:
            self._free += 1
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._free < 0:
            raise EgressRefused("503 Service Unavailable", f"more than {MAX_CONNECTIONS} connections at once")
        async with asyncio.timeout(HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        line, _, headers = head.partition(b"\r\n")
        method, target, version = _request_line(line)
        if method == "CONNECT":
            host, port = _authority(target, 443)
            outside = await self._open(host, port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            try:
                parts = urlsplit(target)
            except ValueError:
                raise EgressRefused("400 Bad Request", "not an address") from None
            if parts.scheme != "http":
                raise EgressRefused("400 Bad Request", "this proxy accepts CONNECT and http:// addresses")
            host, port = _authority(parts.netloc.rpartition("@")[2], 80)
            outside = await self._open(host, port)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            # One request a connection: the next could be for another host.
            outside[1].write(f"{method} {path} {version}\r\n".encode("latin-1") + _one_request(headers))
        try:
            await _join((reader, writer), outside)
        finally:
            outside[1].close()

    async def _open(self, host: str, port: int) -> Streams:
        if not self._rules.allow(host, port):
            raise EgressRefused("403 Forbidden", f"{host}:{port} may not be reached from here")
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await self._look_up(host, port)
        except (OSError, TimeoutError, UnicodeError, ValueError):
            raise EgressRefused("502 Bad Gateway", f"{host[:100]} has no address") from None
        public = [address for address in found if is_public(address, is_ours)]
        if not public:
            raise EgressRefused("403 Forbidden", f"{host}:{port} is not a public address")
        for address in public:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    return await self._dial(address, port)
        raise EgressRefused("502 Bad Gateway", f"{host}:{port} does not answer")


def _request_line(line: bytes) -> tuple[str, str, str]:
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[2].startswith("HTTP/1."):
        raise EgressRefused("400 Bad Request", "not a request of HTTP/1")
    return parts[0].upper(), parts[1], parts[2]


def _authority(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port or default
    except ValueError:
        host, port = None, 0
    if not host or not host.isascii() or any(c.isspace() or ord(c) < 33 for c in host):
        raise EgressRefused("400 Bad Request", "not a host and port")
    return host, port


def _one_request(headers: bytes) -> bytes:
    kept = [
        line
        for line in headers.split(b"\r\n")
        if line
        and line.partition(b":")[0].strip().lower()
        not in (b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization")
    ]
    return b"\r\n".join([*kept, b"connection: close", b"", b""])


async def _join(inside: Streams, outside: Streams) -> None:
    """Copies both ways until both are done, or nothing has moved for a while."""
    async with asyncio.TaskGroup() as ways:
        ways.create_task(_copy(inside[0], outside[1]))
        ways.create_task(_copy(outside[0], inside[1]))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            async with asyncio.timeout(IDLE_S):
                piece = await source.read(PIECE)
            if not piece:
                break
            target.write(piece)
            await target.drain()
        target.write_eof()


def serve_in_background(rules: EgressRules, listening: socket.socket) -> None:
    """Answers on the socket from a thread of its own, for as long as this process lives."""
    listening.setblocking(False)
    threading.Thread(target=lambda: asyncio.run(EgressProxy(rules).serve(listening)), daemon=True).start()
