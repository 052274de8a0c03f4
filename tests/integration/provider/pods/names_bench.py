"""Names with HTTPS by a real Caddy before bare pods: what serves in the pods, and those who call."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.lease_names import LeaseNames
from assay.provider.endpoints.port_rules import IngressAccess, PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.ingress.configuration import IngressSettings, Places
from assay.provider.ingress.ingress import Ingress
from assay.provider.pods.layout import agent_name
from assay.wire.pods import EndpointBody, ExposeBody
from tests.integration.provider.bare_pods import BarePods, bare_missing
from tests.integration.provider.outside import Outside

DOMAIN, HTTPS, HTTP = "gpu.test", 18_443, 18_080
LIMITS = PortLimits(connections=40, new_per_second=200)
# Tells what it was sent; streams events; takes and gives much; echoes frames of a WebSocket as they come.
SERVE = r"""
import base64, hashlib, http.server, json, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        where, _, size = self.path.partition("?")
        getattr(self, "on_" + where.strip("/"), self.on_told)(size)
    do_POST = do_PUT = do_GET
    def on_told(self, _):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        told = {"by": sys.argv[1], "peer": self.client_address[0], "path": self.path, "body": body}
        self.answer(json.dumps({**told, "headers": self.headers.items()}).encode())
    def answer(self, body, *more):
        self.send_response(200)
        for name, value in (("content-length", str(len(body))), *more): self.send_header(name, value)
        self.end_headers(); self.wfile.write(body)
    def on_astray(self, _):
        more = ("front", "127.0.0.1:22"), ("login", "yes"), ("x-accel-redirect", "/etc/passwd"), ("connection", "close")
        self.answer(b"mine", *more)
    def on_events(self, kind):
        self.send_response(200); self.send_header("content-type", kind or "text/event-stream"); self.end_headers()
        self.close_connection = True
        for n in range(2000):
            self.wfile.write(b"data: %d\n\n" % n); self.wfile.flush(); time.sleep(0.1)
    def on_give(self, size):
        self.send_response(200); self.send_header("content-length", size); self.end_headers()
        for _ in range(int(size) >> 20): self.wfile.write(bytes(1 << 20))
    def on_take(self, _):
        left = size = int(self.headers["content-length"])
        while left: left -= len(self.rfile.read(min(left, 1 << 20)))
        self.answer(str(size).encode())
    def on_socket(self, _):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        for one in (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept)):
            self.send_header(*one)
        self.end_headers(); self.close_connection = True
        while said := self.connection.recv(1 << 16): self.connection.sendall(said)
    def log_message(self, *_): pass
class Many(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    def handle_error(self, *_): pass
many = Many(("0.0.0.0", int(sys.argv[2])), Server)
print("ready", flush=True)
many.serve_forever()
"""


def names_missing() -> str | None:
    """Why there can be none here, None where there can."""
    lacking = [name for name in ("caddy", "setpriv", "curl", "openssl") if not shutil.which(name)]
    return bare_missing() or (f"needs {', '.join(lacking)}" if lacking else None)


@dataclass
class Names:
    """A daemon's pods, its ingress and their endpoints. `records` is what stands in the domain name system."""

    folder: Path
    pods: BarePods
    ingress: Ingress
    table: PortTable
    endpoints: Endpoints
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def made(cls, folder: Path, settings: IngressSettings, pods: BarePods | None = None) -> Names:
        """As a daemon that has just started."""
        pods = pods or BarePods(folder)
        ingress = Ingress(settings, Places(folder / "run", folder / "kept"))
        access = IngressAccess(ingress.uid, settings.ports, LIMITS.connections)
        table = PortTable(agent_name(folder), pods.network.interfaces, LIMITS, access)
        table.check()
        records: dict[tuple[str, str], list[str]] = {}
        names = LeaseNames(ingress, lambda name, kind: records.get((name, kind), []))
        endpoints = Endpoints(pods, table, None, ShutFile(folder), EndpointSettings(None, 4), names=names)  # type: ignore[arg-type]
        ingress.prepare()
        return cls(folder, pods, ingress, table, endpoints, records)

    def again(self) -> Names:
        """The daemon after it was killed."""
        self.pods.again()
        made = Names.made(self.folder, self.ingress.settings, self.pods)
        made.servers, made.records = self.servers, self.records
        return made

    def serve(self, lease_id: int, port: int = 8000) -> None:
        argv = self.pods.argv(lease_id, sys.executable, "-c", SERVE, str(lease_id), str(port))
        server = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

    def start(self, lease_id: int, **more: Any) -> None:
        """A pod with a server in it."""
        self.pods.start(lease_id, **more)
        self.serve(lease_id)

    def open(self, lease_id: int, **asked: Any) -> EndpointBody:
        body = ExposeBody(port=asked.pop("port", 8000), protocol="https", **asked)
        return self.endpoints.open(lease_id, body, f"0xRenter{lease_id}")

    def shown(self, lease_id: int) -> list[EndpointBody]:
        return self.endpoints.shown(lease_id).endpoints

    def forget(self, *lease_ids: int) -> None:
        for server in self.servers:
            server.kill()
            server.wait()
        self.servers.clear()
        for lease_id in lease_ids:
            if self.pods.folders(lease_id).pod.exists():
                self.pods.remove(lease_id)
        ShutFile(self.folder).path.unlink(missing_ok=True)
        self.endpoints.follow()

    def close(self) -> None:
        self.forget(*self.pods.known())
        self.ingress.end()
        self.pods.close()
        self.table.remove()


@contextlib.contextmanager
def names_world(settings: IngressSettings) -> Iterator[Names]:
    folder = Path(tempfile.mkdtemp(prefix="assay-names-"))
    folder.chmod(0o755)  # the ingress is not root
    before = os.umask(0o077)  # as a provider's service has it
    try:
        made = Names.made(folder, settings)
        try:
            yield made
        finally:
            made.close()
    finally:
        os.umask(before)
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Heard:
    """An answer; status 0 where none came."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    name: str, *more: str, path: str = "/told", by: Outside | None = None, port: int = HTTPS, ca: str = ""
) -> Heard:
    """What a program of this host hears, or one beyond it."""
    host = by.gateway if by else "127.0.0.1"
    trust = ("--cacert", ca) if ca else ("-k",)
    line = [
        "curl", "-sS", *trust, "--max-time", "60", "--resolve", f"{name}:{port}:{host}", "-w", "\n%{http_code}", *more,
        f"https://{name}:{port}{path}",
    ]  # fmt: skip
    done = subprocess.run(by.argv(*line) if by else line, capture_output=True, text=True, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return Heard(int(status or 0), body)


def tls(name: str, port: int = HTTPS, alpn: str = "http/1.1") -> ssl.SSLSocket:
    """A connection for whoever writes requests by hand."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    unverified.set_alpn_protocols([alpn])
    return unverified.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname=name)


def said(name: str, request: str, sni: str | None = None) -> str:
    """All that comes back on a connection until it ends, or nothing comes for a second."""
    with tls(sni or name) as made:
        made.sendall(request.replace("\n", "\r\n").encode())
        made.settimeout(1.5)
        found = b""
        with contextlib.suppress(OSError):
            while piece := made.recv(1 << 16):
                found += piece
        return found.decode(errors="replace")


@dataclass
class WebSocket:
    """A connection that sends text, and hears it again."""

    link: ssl.SSLSocket

    @classmethod
    def opened(cls, name: str, *headers: str) -> WebSocket:
        link = tls(name)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /socket HTTP/1.1", f"Host: {name}:{HTTPS}", "Connection: Upgrade", "Upgrade: websocket",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers, "", "",
        ]  # fmt: skip
        link.sendall("\r\n".join(lines).encode())
        made, head = cls(link), b""
        while b"\r\n\r\n" not in head:
            piece = link.recv(1)
            assert piece, head
            head += piece
        assert head.startswith(b"HTTP/1.1 101 "), head
        return made

    def echoes(self, text: bytes = b"hello") -> bool:
        """Whether what is sent comes back within two seconds."""
        frame = struct.pack(">BB", 0x81, 0x80 | len(text)) + bytes(4) + text
        self.link.settimeout(2)
        try:
            self.link.sendall(frame)
            found = b""
            while len(found) < len(frame):
                if not (piece := self.link.recv(len(frame) - len(found))):
                    return False
                found += piece
        except OSError:
            return False
        return found == frame


def written(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate of its own for these names, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    chain, key = folder / "chain.pem", folder / "key.pem"
    alternatives = ",".join(f"DNS:{one}" for one in names)
    line = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out", chain,
    ]  # fmt: skip
    subprocess.run(line, check=True, capture_output=True)
    return chain, key


def process_of(ingress: Ingress, which: str) -> int:
    """The process that answers at its administration's socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(str(ingress._places.admin(which)))
        pid, _, _ = struct.unpack("3i", made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def resident(ingress: Ingress) -> dict[str, int]:
    """The most bytes that each of the two has had resident."""
    found = {}
    for which in ("front", "gate"):
        status = Path(f"/proc/{process_of(ingress, which)}/status").read_text()
        found[which] = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    return found
