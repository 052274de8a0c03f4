"""What another provider's connection to a lease's pod may carry: packets, by the key of one lease, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_host_key import public_line
from assay.provider.access.ssh_programs import Shells
from assay.provider.access.ssh_server import serve_ssh
from assay.provider.clusters.clusters import Clusters
from assay.provider.clusters.links import CalledEnd, LinkEnd, call
from assay.provider.clusters.member import ClusterMember
from assay.provider.database import open_database
from assay.provider.runtime.local import LocalRuntime
from assay.provider.runtime.workload import Room
from assay.provider.workloads.jobs import OpenShells
from assay.wire.clusters import ClusterBody, MemberBody, WayBody
from tests.integration.provider.conftest import running_lease

A, B, RENTER = 3, 4, "0xRenter"
FIRST, SECOND = "10.214.0.1", "10.214.0.2"


@dataclass
class Linked:
    """The links of lease A's pod, at whose provider `port` is; what has arrived there."""

    port: int
    host_key: str
    key: asyncssh.SSHKey
    ranks: dict[str, int]
    arrived: list[bytes] = field(default_factory=list)
    ends: list[LinkEnd] = field(default_factory=list)

    def keys(self, lease_id: int) -> dict[str, int]:
        return self.ranks if lease_id == A else {}

    def called(self, lease_id: int, rank: int) -> CalledEnd:
        return CalledEnd(self.arrived.append, lambda end: self.ends.remove(end), self.ends.append)

    def way(self) -> WayBody:
        return WayBody(host="127.0.0.1", port=self.port, host_key=self.host_key, link_key=public_line(self.key))

    def connect(self, user: str, key: asyncssh.SSHKey) -> Any:
        return asyncssh.connect(
            "127.0.0.1", self.port, username=user, client_keys=[key], known_hosts=None, config=None, agent_path=None
        )


def key_of(folder: Path, lease_id: int, renter: str) -> asyncssh.SSHKey:
    return Clusters(None, LeasePorts(lambda _: []), lambda _: 0.0, folder).key(lease_id, renter)  # type: ignore[arg-type]


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[Linked]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (tmp_path / "other").mkdir()
    key = key_of(tmp_path / "other", B, RENTER)
    made = Linked(port, "", key, {str(key.get_fingerprint()): 1})

    async def read(lease_id: int) -> Lease | None:
        return running_lease(lease_id) if lease_id in (A, B) else None

    def nothing(*_: object) -> Any:
        raise AssertionError("a program was asked for")

    shells = Shells(LocalRuntime(31337), nothing, lambda _: time.time() + 600, time.time, OpenShells(), lambda _: 3)
    ports = LeasePorts(lambda _: [Room("pod", os.getpid())])  # what was let through would be reached
    server, host = await serve_ssh(
        "127.0.0.1", port, tmp_path / "ssh", AuthorisedKeys(open_database(None)), shells, ports, read, time.time,
        links=made,
    )  # fmt: skip
    made.host_key = public_line(host)
    yield made
    server.close()
    ports.close()


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        await asyncio.sleep(0.02)


def packet(source: str, target: str, size: int = 4_000) -> bytes:
    return b"\x45" + bytes(11) + IPv4Address(source).packed + IPv4Address(target).packed + bytes(size - 20)


async def test_link__by_the_key_of_its_lease__carries_packets_both_ways(linked: Linked) -> None:
    back: list[bytes] = []
    ended: list[LinkEnd] = []
    connection, end = await call(socket.socket(), linked.way(), A, linked.key, back.append, ended.append)
    sent = [packet(SECOND, FIRST, size) for size in (20, 1_400, 32_000)]
    for one in sent:
        end.send(one)
    await until(lambda: linked.arrived == sent)
    linked.ends[0].send(packet(FIRST, SECOND))
    await until(lambda: back == [packet(FIRST, SECOND)])
    linked.ends[0].close()
    await until(lambda: ended == [end] and linked.ends == [])
    connection.abort()


async def test_link__to_another_host_than_was_named__is_not_made(linked: Linked) -> None:
    way = linked.way().model_copy(update={"host_key": public_line(asyncssh.generate_private_key("ssh-ed25519"))})
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await call(socket.socket(), way, A, linked.key, lambda _: None, lambda _: None)


async def test_link_key__of_a_member__opens_packets_and_nothing_else(linked: Linked, tmp_path: Path) -> None:
    other = tmp_path / "other"
    refused = [
        (f"lease-{A}", linked.key),  # as if it were the renter's
        (f"link-{B}", linked.key),  # to another lease's pod
        ("link-99", linked.key),  # to one that is not there
        (f"link-{A}", key_of(other, B + 1, RENTER)),  # of another lease at the same provider
        (f"link-{A}", key_of(other, B, "0xOther")),  # of another renter who had that number before
    ]
    for user, key in refused:
        with pytest.raises(asyncssh.PermissionDenied):
            await linked.connect(user, key)
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    attempts: list[Callable[[asyncssh.SSHClientConnection], Awaitable[object]]] = [
        lambda link: link.run("id", check=True),
        lambda link: link.run(check=True),
        lambda link: link.run(check=True, term_type="xterm"),
        lambda link: link.start_sftp_client(),
        lambda link: link.open_connection("127.0.0.1", port),
        lambda link: link.open_unix_connection("/run/x"),
        lambda link: link.forward_remote_port("", 0, "127.0.0.1", 1),
        lambda link: link.forward_remote_path("/tmp/x", "/tmp/y"),
    ]
    async with linked.connect(f"link-{A}", linked.key) as link:
        for attempt in attempts:
            with pytest.raises((asyncssh.Error, asyncssh.ChannelListenError, OSError)):
                await asyncio.wait_for(attempt(link), 10)
    listening.close()
    assert linked.ends == []


async def test_member__of_a_cluster__lets_in_what_its_members_send_and_no_more(linked: Linked) -> None:
    """Its interface is one end of a pair here: what a pod sends is written to the other."""
    ours, pod = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    pod.setblocking(False)
    members = [MemberBody(lease_id=A, way=linked.way()), MemberBody(lease_id=B, way=linked.way())]

    async def way_out() -> socket.socket:
        return socket.socket()

    member = ClusterMember(B, ClusterBody(rank=1, members=members), (FIRST, SECOND), ours.detach(), linked.key, way_out)
    await until(lambda: [one.up for one in member.states()] == [True])
    for one in (packet(SECOND, "10.214.0.3"), packet(FIRST, SECOND), packet(SECOND, FIRST)):
        pod.send(one)
    await until(lambda: linked.arrived == [packet(SECOND, FIRST)])
    for one in (packet(SECOND, SECOND), packet("8.8.8.8", SECOND), packet(FIRST, "127.0.0.1"), packet(FIRST, SECOND)):
        linked.ends[0].send(one)
    found: list[bytes] = []

    def came() -> bool:
        try:
            found.append(pod.recv(1 << 16))
        except BlockingIOError:
            return False
        return found[-1] == packet(FIRST, SECOND)

    await until(came)
    assert found == [packet(FIRST, SECOND)]
    # Who breaks off is called again.
    linked.ends[0].close()
    await until(lambda: [one.up for one in member.states()] == [False])
    await until(lambda: [one.up for one in member.states()] == [True])
    assert member.called(0) is None and member.called(2) is None
    member.close()
    await until(lambda: linked.ends == [])
    pod.close()
