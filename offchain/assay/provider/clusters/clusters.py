"""The clusters of a daemon's leases: what renters asked for, kept beside each pod, and the members that run."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import time
from collections.abc import Callable
from pathlib import Path

import asyncssh
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_host_key import host_key, public_line
from assay.provider.clusters.device import INTERFACE, open_device
from assay.provider.clusters.links import LinkEnd
from assay.provider.clusters.member import ClusterMember
from assay.provider.errors import Conflict, ProviderError
from assay.provider.pods.engine import PodmanPods
from assay.provider.pods.network import CLUSTER_NETWORK, INSIDE
from assay.provider.pods.nodes import Nodes
from assay.provider.pods.processes.keeper import write_whole
from assay.provider.runtime.process_start import start_ticks
from assay.wire.clusters import ClusterBody, ClusterShownBody

LOOK_S = 1.0
ROOM = "pod"

log = structlog.get_logger()


class Clusters:
    """`until` says when a lease's stream stops; `ssh_folder` holds the host key of the SSH server."""

    def __init__(
        self,
        pods: PodmanPods,
        ports: LeasePorts,
        until: Callable[[int], float],
        ssh_folder: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pods = pods
        self._ports = ports
        self._until = until
        self._clock = clock
        self._ssh_folder = ssh_folder
        self._bodies: dict[int, ClusterBody] = {}
        self._members: dict[int, tuple[tuple[int, int], ClusterMember]] = {}
        self._lock = asyncio.Lock()
        self._told: dict[int, str] = {}

    def key(self, lease_id: int, renter: str) -> asyncssh.SSHKey:
        """The key by which this lease shows itself to other providers: its own, so that what another renter has this
        daemon connect to never takes it for this one."""
        secret = host_key(self._ssh_folder / "host_key").export_private_key("pkcs8-der")
        seed = hmac.new(secret, f"link of lease {lease_id} of {renter.lower()}".encode(), hashlib.sha256).digest()
        made = Ed25519PrivateKey.from_private_bytes(seed)
        return asyncssh.import_private_key(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    async def set(self, lease_id: int, renter: str, body: ClusterBody) -> None:
        """Makes the lease's pod a member. Raises Conflict, ProviderError."""
        addresses = await asyncio.to_thread(self._addresses, lease_id, renter, body)
        linked = body.members[0].way is not None
        nodes = Nodes(
            body.rank, addresses, INTERFACE if linked else INSIDE, tuple(one.lease_id for one in body.members)
        )
        async with self._lock:
            self._drop(lease_id)
            self._bodies[lease_id] = body
            await asyncio.to_thread(write_whole, self._pods.folders(lease_id).cluster, body.model_dump_json())
            try:
                await asyncio.to_thread(self._pods.tell_nodes, lease_id, nodes)
                await self._follow(lease_id, body)
            except (ProviderError, OSError):
                del self._bodies[lease_id]
                self._pods.folders(lease_id).cluster.unlink(missing_ok=True)
                await asyncio.to_thread(self._pods.tell_nodes, lease_id, Nodes())
                raise

    def shown(self, lease_id: int, renter: str, port: int | None) -> ClusterShownBody:
        """What other providers must know of the lease, and how its links stand."""
        body, member = self._bodies.get(lease_id), self._members.get(lease_id)
        return ClusterShownBody(
            port=port,
            host_key=public_line(host_key(self._ssh_folder / "host_key")),
            link_key=public_line(self.key(lease_id, renter)),
            rank=None if body is None else body.rank,
            addresses=[] if body is None else list(self._known_addresses(body)),
            links=[] if member is None else member[1].states(),
        )

    def keys(self, lease_id: int) -> dict[str, int]:
        """Fingerprints of the keys that may link to a lease's pod, and the rank of each."""
        body = self._bodies.get(lease_id)
        if body is None:
            return {}
        found = ((one.way, rank) for rank, one in enumerate(body.members) if rank > body.rank)
        return {
            str(asyncssh.import_public_key(way.link_key).get_fingerprint()): rank
            for way, rank in found
            if way is not None
        }

    def called(self, lease_id: int, rank: int) -> LinkEnd | None:
        """The end of a link to a lease's pod, which a member of this rank opens; None where there can be none."""
        held = self._members.get(lease_id)
        return None if held is None else held[1].called(rank)

    async def run(self) -> None:
        """Keeps every member's interface where its pod is, until cancelled."""
        try:
            self._bodies |= await asyncio.to_thread(self._kept)
            while True:
                for lease_id, body in list(self._bodies.items()):
                    try:
                        async with self._lock:
                            await self._follow(lease_id, body)
                        self._told.pop(lease_id, None)
                    except Exception as error:  # of one lease: those of the others are kept all the same
                        if self._told.get(lease_id) != str(error):
                            log.warning("a pod is not in its cluster", lease=lease_id, reason=str(error))
                        self._told[lease_id] = str(error)
                await asyncio.sleep(LOOK_S)
        finally:
            self.close()

    def close(self) -> None:
        """Ends every link."""
        for lease_id in list(self._members):
            self._drop(lease_id)

    async def _follow(self, lease_id: int, body: ClusterBody) -> None:
        if self._clock() >= self._until(lease_id):
            self._drop(lease_id)
            if not await asyncio.to_thread(self._pods.folders(lease_id).cluster.exists):
                self._bodies.pop(lease_id, None)
            return
        if body.members[0].way is None:
            return
        pid = (await asyncio.to_thread(self._pods.status, lease_id)).pid
        there = None if pid is None else (pid, start_ticks(pid))
        held = self._members.get(lease_id)
        if held is not None and held[0] != there:
            self._drop(lease_id)
            held = None
        if held is None and there is not None and pid is not None:
            spec = (await asyncio.to_thread(self._pods.specs)).get(lease_id)
            addresses = self._known_addresses(body)
            device = await asyncio.to_thread(open_device, pid, addresses[body.rank])
            key = self.key(lease_id, "" if spec is None else spec.renter)
            self._members[lease_id] = (
                there,
                ClusterMember(lease_id, body, addresses, device, key, lambda: self._socket(lease_id)),
            )

    async def _socket(self, lease_id: int) -> socket.socket:
        return (await self._ports.factory(lease_id, ROOM))()

    def _addresses(self, lease_id: int, renter: str, body: ClusterBody) -> tuple[str, ...]:
        """Checks the members that are to be on this host. Raises Conflict."""
        specs = self._pods.specs()
        if lease_id not in specs:
            raise Conflict(f"lease {lease_id} has no pod yet")
        if body.members[body.rank].lease_id != lease_id:
            raise Conflict(f"lease {lease_id} is not of rank {body.rank} in this cluster")
        if body.members[0].way is None:
            for one in body.members:
                spec = specs.get(one.lease_id)
                if spec is None or spec.renter.lower() != renter.lower():
                    raise Conflict(f"lease {one.lease_id} has no pod of this renter on this host")
            addresses = self._known_addresses(body)
            if not all(addresses):
                raise Conflict("not all of these pods run")
            return addresses
        for one in body.members:
            try:
                for line in (one.way.host_key, one.way.link_key) if one.way else ():
                    asyncssh.import_public_key(line)
            except (asyncssh.KeyImportError, ValueError) as error:
                raise Conflict(f"a key of the member with lease {one.lease_id}: {error}") from error
        return self._known_addresses(body)

    def _known_addresses(self, body: ClusterBody) -> tuple[str, ...]:
        if body.members[0].way is None:
            return tuple(self._pods.address(one.lease_id) for one in body.members)
        return tuple(str(CLUSTER_NETWORK[rank + 1]) for rank in range(len(body.members)))

    def _kept(self) -> dict[int, ClusterBody]:
        found = {}
        for lease_id in self._pods.known():
            try:
                found[lease_id] = ClusterBody.model_validate_json(self._pods.folders(lease_id).cluster.read_text())
            except FileNotFoundError:
                continue
            except (OSError, ValidationError) as error:
                log.warning("a cluster that was kept cannot be read", lease=lease_id, reason=str(error))
        return found

    def _drop(self, lease_id: int) -> None:
        if (held := self._members.pop(lease_id, None)) is not None:
            held[1].close()
