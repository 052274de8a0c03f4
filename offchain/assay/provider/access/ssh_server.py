"""The SSH server: user `lease-NUMBER`, public keys only. Programs run in the lease's pod, or behind a runtime's walls;
what is forwarded ends in the lease's own namespaces and nowhere else. User `link-NUMBER` is another provider, whose pod
belongs to the same cluster: packets to the lease's pod, and nothing of the above."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_channels import ProgramChannel
from assay.provider.access.ssh_forwards import AgentFolders, Forwards
from assay.provider.access.ssh_host_key import host_key
from assay.provider.access.ssh_packets import Gathered
from assay.provider.access.ssh_programs import Programs
from assay.provider.access.ssh_socket import ssh_socket
from assay.provider.leasing.lease_rules import runs

LOGIN_TIMEOUT_S = 20
KEEPALIVE_S = 15
WATCH_S = 0.5
LAST_WORDS_S = 5.0  # in which shells end, when their lease is over
MAX_CONNECTIONS = 16  # of a lease
MAX_CHANNELS = 64  # sessions of a connection
# OpenSSH's client prefers chacha20 and CTR with UMAC where it may, which cost us two and three times as much.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
USER_PREFIX, LINK_PREFIX = "lease-", "link-"
MAX_LINKS = 16  # of a lease


class PodLinks(Protocol):
    """Links between pods of a cluster."""

    def keys(self, lease_id: int) -> dict[str, int]:
        """Fingerprints of the keys that may link to a lease's pod, and the rank of each."""

    def called(self, lease_id: int, rank: int) -> Any:
        """A session that carries packets; None where there can be none."""


def lease_of_user(username: str, prefix: str = USER_PREFIX) -> int | None:
    """The lease that a user name stands for; None for any other name."""
    digits = username.removeprefix(prefix)
    if not username.startswith(prefix) or not digits.isascii() or not digits.isdigit() or len(digits) > 78:
        return None
    return int(digits)


class LeaseConnections:
    """The connections of each lease: one renter does not take all that this machine can hold."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._of: dict[int, set[object]] = {}

    def enter(self, lease_id: int, one: object) -> bool:
        """Whether there was a place."""
        held = self._of.setdefault(lease_id, set())
        if len(held) >= self._most:
            return False
        held.add(one)
        return True

    def leave(self, lease_id: int, one: object) -> None:
        """Gives the place back, where it had one."""
        held = self._of.get(lease_id, set())
        held.discard(one)
        if not held:
            self._of.pop(lease_id, None)


class LeaseLogin(asyncssh.SSHServer):  # type: ignore[misc]
    """One connection: who may log in, and what it may open. What is not allowed here is refused by asyncssh's
    defaults."""

    def __init__(
        self,
        keys: AuthorisedKeys,
        lease: Callable[[int], Awaitable[Lease | None]],
        programs: Programs,
        forwards: Forwards,
        clock: Callable[[], float],
        open_: LeaseConnections,
        links: PodLinks | None = None,
        links_open: LeaseConnections | None = None,
    ) -> None:
        self._keys = keys
        self._lease = lease
        self._programs = programs
        self._forwards = forwards
        self._clock = clock
        self._open = open_
        self._links = links
        self._links_open = links_open or LeaseConnections(MAX_LINKS)
        self._linking = False
        self._ranks: dict[str, int] = {}
        self._rank = -1
        self._lease_id: int | None = None
        self._allowed: set[str] = set()
        self._connection: Any = None
        self._channels: set[ProgramChannel] = set()
        self._watching: asyncio.Task[None] | None = None

    def connection_made(self, conn: Any) -> None:
        """Keeps the connection, to end it with its lease."""
        self._connection = conn
        Gathered.under(conn)
        # asyncssh's own makes the agent's socket in a folder of this host.
        conn.create_agent_listener = self._agent

    def auth_completed(self) -> None:
        """Holds the connection to its lease's time, and to its share of connections."""
        if self._linking:
            self._open = self._links_open
        if self._lease_id is None or not self._open.enter(self._lease_id, self):
            self._connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "too many connections of this lease")
            return
        self._watching = asyncio.create_task(self._until_over(self._lease_id))

    def connection_lost(self, _error: Exception | None) -> None:
        """Lets its place go."""
        self._forwards.close()
        if self._lease_id is not None:
            self._open.leave(self._lease_id, self)
        if self._watching is not None:
            self._watching.cancel()

    async def _until_over(self, lease_id: int) -> None:
        while not self._programs.over(lease_id):  # noqa: ASYNC110 - time alone ends a lease
            await asyncio.sleep(WATCH_S)
        # The programs end by themselves, and say how; what else is open has no right to be.
        self._forwards.close()
        await asyncio.sleep(LAST_WORDS_S)
        self._connection.abort()

    async def begin_auth(self, username: str) -> bool:
        """Notes whose keys count; every user must authenticate."""
        lease_id, link_id = lease_of_user(username), lease_of_user(username, LINK_PREFIX)
        self._linking, self._ranks, self._allowed = link_id is not None, {}, set()
        self._lease_id = link_id if lease_id is None else lease_id
        lease = None if self._lease_id is None else await self._lease(self._lease_id)
        if lease is None or not runs(lease, self._clock()):
            return True
        if lease_id is not None:
            self._allowed = self._keys.fingerprints(lease_id)
        elif self._links is not None:
            self._ranks = self._links.keys(lease.lease_id)
            self._allowed = set(self._ranks)
        return True

    def session_requested(self) -> Any:
        """A channel for a program."""
        lease_id = self._lease_id
        if lease_id is None or self._programs.over(lease_id) or len(self._channels) >= MAX_CHANNELS:
            return False
        if self._linking:
            return (self._links and self._links.called(lease_id, self._rank)) or False
        channel = ProgramChannel(
            self._programs,
            lease_id,
            lambda: self._programs.over(lease_id),
            lambda: self._forwards.agent_path,
            self._channels.discard,
        )
        self._channels.add(channel)
        return channel

    def connection_requested(self, dest_host: str, dest_port: int, _orig_host: str, _orig_port: int) -> Any:
        """`ssh -L`, `-D`: a connection to what the lease's workloads listen on."""
        return self._forwards.to_port(self._known(), dest_host, dest_port)

    def unix_connection_requested(self, dest_path: str) -> Any:
        """The same, to a socket in a file."""
        return self._forwards.to_file(self._known(), dest_path)

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        """`ssh -R`: a port of the lease's own loopback."""
        if self._linking:
            return False
        return self._forwards.from_port(self._connection, self._known(), listen_host, listen_port)

    def unix_server_requested(self, listen_path: str) -> Any:
        """The same, a socket in a file."""
        if self._linking:
            return False
        return self._forwards.from_file(self._connection, self._known(), listen_path)

    async def _agent(self) -> bool:
        return not self._linking and await self._forwards.agent(self._connection, self._known())

    def _known(self) -> int:
        if self._lease_id is None or self._linking:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no lease")
        return self._lease_id

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the key was brought by the wallet that holds this lease."""
        fingerprint = key.get_fingerprint()
        self._rank = self._ranks.get(fingerprint, -1)
        return fingerprint in self._allowed


async def serve_ssh(
    host: str,
    port: int,
    folder: Path,
    keys: AuthorisedKeys,
    programs: Programs,
    ports: LeasePorts,
    lease: Callable[[int], Awaitable[Lease | None]],
    clock: Callable[[], float],
    agents: AgentFolders | None = None,
    links: PodLinks | None = None,
) -> tuple[Any, asyncssh.SSHKey]:
    """Listens; the server (with `close`) and its host key. `agents` and `links` are where the leases have pods. Raises
    ListenFailed.
    """
    key = host_key(folder / "host_key")
    open_, links_open = LeaseConnections(), LeaseConnections(MAX_LINKS)

    def login() -> LeaseLogin:
        forwards = Forwards(ports, agents, programs.over)
        return LeaseLogin(keys, lease, programs, forwards, clock, open_, links, links_open)

    server = await asyncssh.create_server(
        login,
        sock=ssh_socket(host, port),
        server_host_keys=[key],
        encoding=None,
        encryption_algs=CIPHERS,
        mac_algs=MACS,
        compression_algs=["none"],
        login_timeout=LOGIN_TIMEOUT_S,
        keepalive_interval=KEEPALIVE_S,
        agent_forwarding=agents is not None,
        allow_scp=False,
        sftp_factory=None,
        x11_forwarding=False,
        line_editor=False,
    )
    return server, key
