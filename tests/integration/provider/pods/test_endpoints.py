"""Ports of pods that anybody can call: the networks of pods, real rules, callers on this host and beyond it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.network.port_range import PortRange
from assay.provider.endpoints.endpoints import Endpoints, EndpointSettings
from assay.provider.endpoints.port_numbers import PortNumbers
from assay.provider.endpoints.port_rules import PortLimits
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import ShutFile
from assay.provider.errors import Conflict, Forbidden, NotFound, Unavailable
from assay.provider.pods.layout import agent_name
from assay.provider.pods.network import address_of
from assay.provider.pods.processes.keeper import deadline_of
from assay.wire.pods import EndpointBody, ExposeBody
from tests.integration.provider.bare_pods import BarePods, bare_missing
from tests.integration.provider.conftest import until
from tests.integration.provider.outside import Outside

REASON = bare_missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
MINE, OTHER = 41, 42
PORTS = PortRange(30_410, 30_419)
LIMITS = PortLimits(connections=20, new_per_second=50)

# Echoes behind the caller's address, on TCP and UDP.
SERVE = """
import socket, sys, threading
host, port = sys.argv[1], int(sys.argv[2])
def serve(made, peer):
    with made:
        while said := made.recv(1 << 16): made.sendall(peer[0].encode() + b" " + said)
def udp():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); made.bind((host, port))
    while True:
        said, peer = made.recvfrom(2048); made.sendto(peer[0].encode() + b" " + said, peer)
threading.Thread(target=udp, daemon=True).start()
listening = socket.create_server((host, port), backlog=512)
print("ready", flush=True)
while True:
    made, peer = listening.accept(); threading.Thread(target=serve, args=(made, peer), daemon=True).start()
"""
CALL = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
made = socket.socket(socket.AF_INET, kind); made.settimeout(1)
try:
    made.connect((sys.argv[1], int(sys.argv[2]))); made.send(b"hello"); print(made.recv(99).decode())
except OSError as error: print(type(error).__name__)
"""


@dataclass
class World:
    """A daemon's pods and their endpoints."""

    pods: BarePods
    servers: list[subprocess.Popen[bytes]]
    folder: Path
    endpoints: Endpoints
    table: PortTable
    numbers: PortNumbers
    most: int = 3

    @classmethod
    def made(cls, pods: Any, folder: Path, most: int = 3) -> World:
        """As a daemon that has just started."""
        table = PortTable(agent_name(pods.folder), pods.network.interfaces, LIMITS)
        table.check()
        numbers = PortNumbers(PORTS, list, folder / "ports")
        settings = EndpointSettings(None, most)
        return cls(pods, [], folder, Endpoints(pods, table, numbers, ShutFile(folder), settings), table, numbers)

    def again(self) -> World:
        """The daemon after it was killed."""
        self.numbers.close()
        self.pods.again()
        after = World.made(self.pods, self.folder)
        after.servers = self.servers
        return after

    def serve(self, lease_id: int, port: int = 8000, host: str = "0.0.0.0") -> None:  # noqa: S104
        argv = self.pods.argv(lease_id, sys.executable, "-c", SERVE, host, str(port))
        server = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

    def shown(self, lease_id: int = MINE) -> list[EndpointBody]:
        return self.endpoints.shown(lease_id).endpoints


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with Outside() as made:
        yield made


@pytest.fixture
def world(outside: Outside, tmp_path: Path) -> Iterator[World]:
    pods = BarePods(tmp_path)
    made = World.made(pods, tmp_path)
    try:
        yield made
    finally:
        for server in made.servers:
            server.kill()
            server.wait()
        made.numbers.close()
        pods.close()
        made.table.remove()


def called(host: str, port: int, protocol: str = "tcp", by: Outside | None = None) -> str:
    """What a program of this host hears, or one beyond it."""
    argv = [sys.executable, "-c", CALL, host, str(port), protocol]
    done = subprocess.run(by.argv(*argv) if by else argv, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def own_address() -> str:
    return subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()[0]


def connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), 3)
    made.sendall(b"x")
    made.recv(99)
    return made


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_endpoint__of_a_pod__is_reached_by_anybody_within_three_seconds_and_counted(
    world: World, outside: Outside, protocol: str
) -> None:
    world.pods.start(MINE)
    world.serve(MINE)
    began = time.monotonic()
    opened = world.endpoints.open(MINE, ExposeBody(port=8000, protocol=protocol))  # type: ignore[arg-type]
    assert time.monotonic() - began < 3
    # The pod sees who calls.
    assert called(outside.gateway, opened.public_port, protocol, outside) == "11.22.33.44 hello"
    assert opened.listening == "yes" and opened.public_port in PORTS
    assert called("127.0.0.1", opened.public_port, protocol) == "169.254.1.1 hello"
    assert called(own_address(), opened.public_port, protocol) == f"{own_address()} hello"
    (shown,) = world.shown()
    assert shown.connections == 3 and shown.received_bytes > 15 and shown.sent_bytes > 50
    # Asked for once more it is the same one.
    again = world.endpoints.open(MINE, ExposeBody(port=8000, protocol=protocol))  # type: ignore[arg-type]
    assert (again.public_port, len(world.shown())) == (opened.public_port, 1)


@pytest.mark.deep
def test_port__nobody_listens_on_or_on_the_loopback_only__is_said_and_open_as_soon_as_somebody_does(
    world: World, outside: Outside
) -> None:
    world.pods.start(MINE)
    opened = world.endpoints.open(MINE, ExposeBody(port=8000))
    assert opened.listening == "no"
    assert called(outside.gateway, opened.public_port, by=outside) == "ConnectionRefusedError"
    world.serve(MINE, 8001, "127.0.0.1")
    closed = world.endpoints.open(MINE, ExposeBody(port=8001))
    assert closed.listening == "loopback"
    assert called(outside.gateway, closed.public_port, by=outside) == "ConnectionRefusedError"
    world.serve(MINE)
    assert called(outside.gateway, opened.public_port, by=outside).endswith("hello")
    assert world.shown()[0].listening == "yes"


def test_endpoint__closed_or_shut__lets_nothing_through_not_even_what_is_connected(
    world: World, outside: Outside
) -> None:
    world.pods.start(MINE)
    world.serve(MINE)
    opened = world.endpoints.open(MINE, ExposeBody(port=8000))
    port = opened.public_port
    with connected(port) as kept:
        file, shut = ShutFile(world.folder), ShutFile(world.folder).read()
        file.write(shut.with_shut(MINE, port, "sends spam"))
        world.endpoints.follow()
        assert world.shown()[0].shut == "sends spam"
        assert called(outside.gateway, port, by=outside) == "ConnectionRefusedError"
        kept.settimeout(2)
        with pytest.raises(OSError, match=r"."):  # refused, unreachable or silent
            kept.sendall(b"more")
            assert not kept.recv(99)
            raise ConnectionResetError
    file.write(shut.with_open(MINE, port))
    world.endpoints.follow()
    assert called(outside.gateway, port, by=outside).endswith("hello")
    # Of a lease that is shut nothing is opened any more, whichever port it asks for.
    file.write(shut.with_shut(MINE, None, "attacks others"))
    world.endpoints.follow()
    assert called("127.0.0.1", port) == "ConnectionRefusedError"
    with pytest.raises(Forbidden, match="attacks others"):
        world.endpoints.open(MINE, ExposeBody(port=8001))
    file.write(shut)
    world.endpoints.close(MINE, "tcp", port)
    assert called(outside.gateway, port, by=outside) == "ConnectionRefusedError"
    with pytest.raises(NotFound):
        world.endpoints.close(MINE, "tcp", port)


def test_endpoint__of_a_lease_that_ends_with_nobody_left_to_look__is_dead_to_the_second(
    world: World, outside: Outside
) -> None:
    world.pods.start(MINE, seconds=3)
    world.serve(MINE)
    ends = deadline_of(world.pods.folders(MINE))
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    # From here on nobody of the daemon looks at it, and the pod itself runs on.
    with connected(port) as kept:
        kept.settimeout(1)
        time.sleep(max(0.0, ends - 0.8 - time.time()))
        assert called(outside.gateway, port, by=outside).endswith("hello")
        kept.sendall(b"x")
        assert kept.recv(99)
        time.sleep(max(0.0, ends + 0.9 - time.time()))
        assert called(outside.gateway, port, by=outside) == "ConnectionRefusedError"
        with pytest.raises(OSError, match=r"."):  # refused, unreachable or silent
            kept.sendall(b"x")
            assert not kept.recv(99)
    assert world.table.there(time.time()).ports[0].until == 0
    # The daemon that comes next lets the port go.
    after = world.again()
    after.endpoints.follow()
    assert after.shown() == [] and list((world.folder / "ports").glob("tcp-*")) == []
    until(lambda: not tidied(after), 5)


def tidied(world: World) -> bool:
    """Whether something is left in the kernel once the daemon has looked again."""
    world.endpoints._held = None
    world.endpoints.follow()
    return bool(world.table.there(time.time()).ports)


@pytest.mark.deep
def test_endpoint__of_a_lease_that_lasts_longer__lasts_with_it_and_keeps_its_count(world: World) -> None:
    world.pods.start(MINE, seconds=30)
    world.serve(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    assert called("127.0.0.1", port).endswith("hello")
    longer = time.time() + 900
    world.pods.extend(MINE, longer)
    world.endpoints.follow()
    assert abs(world.table.there(time.time()).ports[0].until - longer) < 3
    assert called("127.0.0.1", port).endswith("hello")
    assert world.shown()[0].connections == 2


@pytest.mark.deep
def test_endpoint__when_daemon_and_pod_start_anew__is_the_same_and_connections_outlive_the_daemon(
    world: World, outside: Outside
) -> None:
    world.pods.start(MINE)
    world.serve(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    with connected(port) as kept:
        after = world.again()
        after.endpoints.follow()
        kept.sendall(b"still")
        assert kept.recv(99) == b"169.254.1.1 still"
        assert after.shown()[0].connections == 1
    after.pods.stop(MINE, "started again by its renter")
    # Meanwhile nothing that was meant for the pod leaves this host.
    assert called(outside.gateway, port, by=outside) in ("TimeoutError", "ConnectionRefusedError", "OSError")
    assert after.shown()[0].listening == "stopped"
    after.pods.start(MINE)
    after.serve(MINE)
    assert called(outside.gateway, port, by=outside).endswith("hello")
    assert called("127.0.0.1", port).endswith("hello")
    after.numbers.close()


@pytest.mark.deep
def test_connections__beyond_a_leases_limit__are_dropped_and_no_other_lease_pays_for_it(world: World) -> None:
    for lease_id in (MINE, OTHER):
        world.pods.start(lease_id, renter=f"0xRenter{lease_id}")
        world.serve(lease_id)
    mine = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    other = world.endpoints.open(OTHER, ExposeBody(port=8000)).public_port
    with contextlib.ExitStack() as stack:
        for _ in range(LIMITS.connections):
            stack.enter_context(connected(mine))
        with pytest.raises(OSError, match=r"timed out|not permitted"):
            socket.create_connection(("127.0.0.1", mine), 1)
        # Nor by another port of the same lease.
        second = world.endpoints.open(MINE, ExposeBody(port=8000, protocol="udp")).public_port
        assert called("127.0.0.1", second, "udp") in ("TimeoutError", "PermissionError")
        assert called("127.0.0.1", other).endswith("hello")
    assert world.shown()[0].connections == LIMITS.connections
    until(lambda: called("127.0.0.1", mine).endswith("hello"), 20)


@pytest.mark.deep
def test_callers__by_the_thousand_each_from_another_port__are_let_in_at_the_leases_rate(world: World) -> None:
    """As from senders that are made up: what comes back goes to those, no faster than this."""
    world.pods.start(MINE)
    world.serve(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000, protocol="udp")).public_port
    began, here = time.monotonic(), own_address()
    for _ in range(1_000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made, contextlib.suppress(PermissionError):
            made.sendto(b"x", (here, port))
    took = time.monotonic() - began
    passed = world.shown()[0].connections
    assert passed > 10
    assert passed <= min(LIMITS.connections, (took + 2) * LIMITS.new_per_second + 1)


@pytest.mark.deep
def test_pods__of_whomever__reach_no_endpoint_of_anothers_by_this_host(world: World, outside: Outside) -> None:
    world.pods.start(MINE)
    world.pods.start(OTHER, renter="0xAnother")
    world.serve(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    with socket.create_server(("0.0.0.0", 0)) as agent:  # noqa: S104 - as an agent listens
        own = agent.getsockname()[1]
        for lease_id in (MINE, OTHER):
            for host in (own_address(), outside.gateway, "127.0.0.1", "169.254.1.1"):
                for target in (port, own):
                    assert "hello" not in from_pod(world, lease_id, host, target), (lease_id, host, target)
        assert "hello" not in from_pod(world, OTHER, address_of(slot(world, MINE)), 8000)
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.accept()


def from_pod(world: World, lease_id: int, host: str, port: int) -> str:
    argv = world.pods.argv(lease_id, sys.executable, "-c", CALL, host, str(port), "tcp")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def slot(world: World, lease_id: int) -> int:
    return world.pods.slots.of(world.pods.folders(lease_id).lease)


@pytest.mark.deep
def test_pod__whose_port_is_not_exposed__is_reached_by_nobody(world: World, outside: Outside) -> None:
    world.pods.start(MINE)
    world.serve(MINE, 8000)
    world.serve(MINE, 8001)
    opened = world.endpoints.open(MINE, ExposeBody(port=8000))
    address = address_of(slot(world, MINE))
    route = outside.argv("ip", "route", "replace", f"{address}/32", "via", outside.gateway)
    subprocess.run(route, check=True)
    # Neither by its own address nor by the public port's neighbour, nor by the exposed port itself without translation.
    for host, port in ((address, 8000), (address, 8001), (outside.gateway, 8001), (outside.gateway, 30_419)):
        assert "hello" not in called(host, port, by=outside), (host, port)
    assert called(outside.gateway, opened.public_port, by=outside).endswith("hello")


def test_asking__off_the_rules__is_refused_with_what_to_do(world: World) -> None:
    with pytest.raises(Conflict, match="no pod yet"):
        world.endpoints.open(MINE, ExposeBody(port=8000))
    world.pods.start(MINE)
    world.pods.start(OTHER, renter="0xAnother")
    with pytest.raises(Conflict, match=r"not of this provider's public ports, 30410-30419"):
        world.endpoints.open(MINE, ExposeBody(port=8000, public_port=443))
    with socket.create_server(("127.0.0.1", 30_411)):  # a program of the host's own
        with pytest.raises(Conflict, match="30411 of this provider is taken"):
            world.endpoints.open(MINE, ExposeBody(port=8000, public_port=30_411))
        assert world.endpoints.open(MINE, ExposeBody(port=1)).public_port == 30_410
        assert world.endpoints.open(MINE, ExposeBody(port=2)).public_port == 30_412
    with pytest.raises(Conflict, match="at 30410 already"):
        world.endpoints.open(MINE, ExposeBody(port=1, public_port=30_415))
    with pytest.raises(Conflict, match="30410 of this provider is taken"):
        world.endpoints.open(OTHER, ExposeBody(port=1, public_port=30_410))
    # While it is another's no program of the host gets it either.
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", 30_410))
    world.endpoints.open(MINE, ExposeBody(port=3))
    with pytest.raises(Conflict, match="3 endpoints at most"):
        world.endpoints.open(MINE, ExposeBody(port=4))
    with pytest.raises(NotFound):
        world.endpoints.close(OTHER, "tcp", 30_410)
    many = World.made(world.pods, world.folder, most=50)
    for number in range(7):
        many.endpoints.open(OTHER, ExposeBody(port=100 + number))
    with pytest.raises(Unavailable, match="all of this provider's public ports"):
        many.endpoints.open(OTHER, ExposeBody(port=200))
    many.numbers.close()
    world.pods.extend(MINE, time.time() - 1)
    with pytest.raises(Conflict, match="is over"):
        world.endpoints.open(MINE, ExposeBody(port=1))
    assert world.shown() == []


def test_lease__wiped__leaves_no_port_behind(world: World) -> None:
    world.pods.start(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    world.pods.stop(MINE, "lease over")
    world.endpoints.follow()
    assert world.shown() == [] and not (world.folder / "ports" / f"tcp-{port}").exists()
    # Stopped and wiped, or another renter's, before anybody looked at it.
    world.pods.start(MINE)
    assert world.endpoints.open(MINE, ExposeBody(port=8000, public_port=port)).public_port == port
    shutil.rmtree(world.pods.folders(MINE).pod)
    world.endpoints.follow()
    assert world.table.there(time.time()).ports == ()
    with socket.create_server(("127.0.0.1", port)):
        pass
    world.pods.start(OTHER, renter="0xAnother")
    assert world.endpoints.open(OTHER, ExposeBody(port=8000, public_port=port)).public_port == port
    world.pods.start(MINE)
    assert world.shown() == []


def test_rules__taken_away_by_another_program_of_the_host__are_back_with_the_next_look(world: World) -> None:
    world.pods.start(MINE)
    world.pods.start(OTHER, renter="0xAnother")
    world.serve(MINE)
    port = world.endpoints.open(MINE, ExposeBody(port=8000)).public_port
    address = address_of(slot(world, MINE))
    tables = [f"assay_{agent_name(world.pods.folder)}{part}" for part in ("", "_ports")]
    for name in tables:
        subprocess.run(["nft", "delete", "table", "inet", name], check=True)
    assert "hello" in from_pod(world, OTHER, address, 8000)
    world.pods.network.keep()
    tidied(world)
    assert "hello" not in from_pod(world, OTHER, address, 8000)
    assert called("127.0.0.1", port).endswith("hello")
