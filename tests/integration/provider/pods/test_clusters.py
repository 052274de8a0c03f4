"""Pods of one renter at two providers: a private network between them, and nothing else by it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.provider.errors import Conflict
from assay.wire.clusters import ClusterBody, MemberBody
from tests.integration.provider.two_hosts import EVERYWHERE, PORT, Daemon, two_daemons

pytestmark = pytest.mark.deep

A, B = 7, 8
# As torch.distributed meets: rank 0 keeps a store, everyone listens on a port of its own address and tells it there,
# then all sum their numbers over connections of their own.
RENDEZVOUS = """
import json, os, socket, time
rank, addresses = int(os.environ["ASSAY_NODE_RANK"]), os.environ["ASSAY_NODE_ADDRESSES"].split(",")
master = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
def reach(where):
    until = time.time() + 60
    while True:
        try:
            return socket.create_connection(where, 5)
        except OSError:
            assert time.time() < until
            time.sleep(0.2)
own = socket.create_server((addresses[rank], 0))
if rank == 0:
    store, known, clients = socket.create_server(master), {0: own.getsockname()}, []
    while len(known) < len(addresses):
        client, peer = store.accept()
        other, where = json.loads(client.makefile().readline())
        assert peer[0] == addresses[other], peer
        known[other] = where
        clients.append(client)
    for client in clients:
        client.sendall((json.dumps(known) + "\\n").encode())
else:
    client = reach(master)
    client.sendall((json.dumps([rank, own.getsockname()]) + "\\n").encode())
    known = {int(one): tuple(where) for one, where in json.loads(client.makefile().readline()).items()}
total = mine = 10 ** rank
for other in sorted(known):
    if other > rank:
        peer = own.accept()[0]
    elif other < rank:
        peer = reach(tuple(known[other]))
    else:
        continue
    peer.sendall(f"{mine}\\n".encode())
    total += int(peer.makefile().readline())
print("sum", total)
"""
SEND = """
import socket, sys, time
with socket.create_connection((sys.argv[1], 5001), 20) as there:
    began, left = time.time(), int(sys.argv[2]) << 20
    while left > 0:
        left -= there.send(bytes(min(left, 1 << 20)))
    there.shutdown(1)
    assert there.recv(1) == b"."
print("MiB/s", int(sys.argv[2]) / (time.time() - began))
"""
TAKE = """
import socket
there = socket.create_server(("", 5001)).accept()[0]
while there.recv(1 << 20):
    pass
there.sendall(b".")
"""


async def in_pod(daemon: Daemon, lease_id: int, *command: str) -> str:
    code, said = await asyncio.to_thread(daemon.bench.run, lease_id, *command)
    assert code == 0, said
    return said.strip()


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        await asyncio.sleep(0.1)


def up(daemon: Daemon, lease_id: int) -> list[bool]:
    return [one.up for one in daemon.clusters.shown(lease_id, "0xRenter", PORT).links]


async def joined(a: Daemon, b: Daemon) -> None:
    members = [MemberBody(lease_id=A, way=a.way(A)), MemberBody(lease_id=B, way=b.way(B))]
    for rank, (one, lease_id) in enumerate(((a, A), (b, B))):
        await one.clusters.set(lease_id, "0xRenter", ClusterBody(rank=rank, members=members))
    await until(lambda: up(a, A) == up(b, B) == [True])


async def test_pods__at_two_providers__meet_as_one_cluster_and_only_so(engine: str, tmp_path: Path) -> None:
    async with two_daemons(engine, tmp_path) as (a, b):
        for one, lease_id in ((a, A), (b, B)):
            await asyncio.to_thread(one.bench.start, lease_id)
        # Nothing of the sort before.
        assert "nodes0" not in await in_pod(a, A, "cat", "/proc/net/dev")
        await joined(a, b)
        assert "nodes0" in await in_pod(a, A, "cat", "/proc/net/dev")
        hosts = await in_pod(a, A, "cat", "/etc/hosts")
        assert "10.214.0.1 node-0\n10.214.0.2 node-1" in hosts
        told = json.loads(await in_pod(b, B, "cat", "/run/assay/nodes.json"))
        assert told == {"rank": 1, "addresses": ["10.214.0.1", "10.214.0.2"], "leases": [A, B], "interface": "nodes0"}

        sums = await asyncio.gather(*(in_pod(one, n, "python3", "-c", RENDEZVOUS) for one, n in ((a, A), (b, B))))
        assert sums == ["sum 11", "sum 11"]

        taking = asyncio.create_task(in_pod(b, B, "python3", "-c", TAKE))
        await asyncio.sleep(1.0)
        print("between the pods:", await in_pod(a, A, "python3", "-c", SEND, "node-1", "64"))
        await taking

        # A daemon that is started anew finds its cluster, and the other connects again.
        await a.again()
        await until(lambda: up(a, A) == up(b, B) == [True], 60)
        sums = await asyncio.gather(*(in_pod(one, n, "python3", "-c", RENDEZVOUS) for one, n in ((a, A), (b, B))))
        assert sums == ["sum 11", "sum 11"]

        # So does a pod that was started anew, in a new network.
        await asyncio.to_thread(b.bench.pods.stop, B, "changes")
        await asyncio.to_thread(b.bench.start, B)
        await until(lambda: up(a, A) == up(b, B) == [True], 60)
        assert "node-0" in await in_pod(b, B, "cat", "/etc/hosts")

        # With the stream of one it is over.
        a.until = time.time()
        await until(lambda: up(b, B) == [False], 20)


async def test_way__that_leads_into_the_providers_own_network__is_never_taken(engine: str, tmp_path: Path) -> None:
    async with two_daemons(engine, tmp_path) as (a, b):
        await asyncio.to_thread(b.bench.start, B)
        seen: list[object] = []
        listening = await asyncio.start_server(lambda _, writer: seen.append(writer), EVERYWHERE, 0)
        port = listening.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "11.22.44.1", "10.0.0.1", "169.254.169.254"):
            way = a.way(A).model_copy(update={"host": host, "port": port})
            members = [MemberBody(lease_id=A, way=way), MemberBody(lease_id=B, way=b.way(B))]
            await b.clusters.set(B, "0xRenter", ClusterBody(rank=1, members=members))
            await until(lambda: b.clusters.shown(B, "0xRenter", PORT).links[0].reason != "not connected yet", 40)
            assert up(b, B) == [False]
        assert seen == []
        listening.close()


async def test_cluster__of_pods_of_one_host__has_their_own_addresses(engine: str, tmp_path: Path) -> None:
    async with two_daemons(engine, tmp_path) as (a, _):
        for lease_id in (A, B):
            await asyncio.to_thread(a.bench.start, lease_id)
        await asyncio.to_thread(a.bench.start, 60, renter="0xOther")
        for other in (60, 61):
            body = ClusterBody(rank=0, members=[MemberBody(lease_id=A), MemberBody(lease_id=other)])
            with pytest.raises(Conflict):
                await a.clusters.set(A, "0xRenter", body)
        members = [MemberBody(lease_id=A), MemberBody(lease_id=B)]
        for rank, lease_id in enumerate((A, B)):
            await a.clusters.set(lease_id, "0xRenter", ClusterBody(rank=rank, members=members))
        sums = await asyncio.gather(*(in_pod(a, n, "python3", "-c", RENDEZVOUS) for n in (A, B)))
        assert sums == ["sum 11", "sum 11"]
