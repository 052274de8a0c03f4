"""The SSH server: user `lease-NUMBER`, public keys only, no agent, no files but through a shell. Ports are forwarded to
the lease's own workloads and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import structlog
from asyncssh.forward import SSHForwarder

from assay.chain.contracts.leases import Lease
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.ssh_host_key import host_key
from assay.provider.access.ssh_shells import Shells
from assay.provider.access.ssh_socket import ssh_socket
from assay.provider.errors import ProviderError
from assay.provider.leasing.lease_rules import runs

LOGIN_TIMEOUT_S = 20
KEEPALIVE_S = 15
WATCH_S = 0.5
LAST_WORDS_S = 5.0  # in which shells end, when their lease is over
MAX_CONNECTIONS = 16  # of a lease
MAX_FORWARDS = 128  # of a connection
USER_PREFIX = "lease-"

log = structlog.get_logger()


def lease_of_user(username: str) -> int | None:
    """The lease that a user name stands for; None for any other name."""
    digits = username.removeprefix(USER_PREFIX)
    if not username.startswith(USER_PREFIX) or not digits.isascii() or not digits.isdigit() or len(digits) > 78:
        return None
    return int(digits)


class ChannelEnd(SSHForwarder):  # type: ignore[misc]
    """The channel's side of a forwarded connection; calls `ended` once it is over. asyncssh leaves a channel open whose
    far side ended first."""

    def __init__(self, peer: Any, ended: Callable[[], None]) -> None:
        super().__init__(peer)
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells that it is over."""
        super().connection_lost(exc)
        ended, self._ended = self._ended, lambda: None
        ended()

    def eof_received(self) -> bool:
        """Closes both sides once neither sends any more."""
        stays_open = bool(super().eof_received())
        if not stays_open:
            asyncio.get_running_loop().call_soon(self.close)
        return stays_open


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
    """One connection: who may log in. Everything that is not allowed here is refused by asyncssh's defaults."""

    def __init__(
        self,
        keys: AuthorisedKeys,
        lease: Callable[[int], Awaitable[Lease | None]],
        ports: LeasePorts,
        clock: Callable[[], float],
        over: Callable[[int], bool],
        open_: LeaseConnections,
    ) -> None:
        self._keys = keys
        self._lease = lease
        self._ports = ports
        self._clock = clock
        self._over = over
        self._open = open_
        self._lease_id: int | None = None
        self._allowed: set[str] = set()
        self._connection: Any = None
        self._forwards = 0
        self._watching: asyncio.Task[None] | None = None

    def connection_made(self, conn: Any) -> None:
        """Keeps the connection, to end it with its lease."""
        self._connection = conn

    def auth_completed(self) -> None:
        """Holds the connection to its lease's time, and to its share of connections."""
        if self._lease_id is None or not self._open.enter(self._lease_id, self):
            self._connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "too many connections of this lease")
            return
        self._watching = asyncio.create_task(self._until_over(self._lease_id))

    def connection_lost(self, _error: Exception | None) -> None:
        """Lets its place go."""
        if self._lease_id is not None:
            self._open.leave(self._lease_id, self)
        if self._watching is not None:
            self._watching.cancel()

    async def _until_over(self, lease_id: int) -> None:
        while not self._over(lease_id):  # noqa: ASYNC110 - time alone ends a lease
            await asyncio.sleep(WATCH_S)
        # The shells end by themselves, and say how; what else is open has no right to be.
        await asyncio.sleep(LAST_WORDS_S)
        self._connection.abort()

    async def begin_auth(self, username: str) -> bool:
        """Notes whose keys count; every user must authenticate."""
        lease_id = lease_of_user(username)
        lease = None if lease_id is None else await self._lease(lease_id)
        running = lease is not None and runs(lease, self._clock())
        self._allowed = self._keys.fingerprints(lease_id) if running and lease_id is not None else set()
        self._lease_id = lease_id
        return True

    def connection_requested(self, host: str, port: int, _from_host: str, _from_port: int) -> Any:
        """`ssh -L`: a connection to what the lease's workloads listen on. Nothing else is asked, resolved or tried."""
        return self._forward(host, port)

    async def _forward(self, host: str, port: int) -> Any:
        if self._lease_id is None or not 0 < port < 1 << 16:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no such port")
        if self._over(self._lease_id):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "the lease is over")
        if self._forwards >= MAX_FORWARDS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "too many forwarded connections")
        self._forwards += 1
        try:
            inside = await self._ports.connect(self._lease_id, host, port)
            _, peer = await asyncio.get_running_loop().create_connection(SSHForwarder, sock=inside)
        except BaseException as error:
            self._forwards -= 1
            if isinstance(error, ProviderError):
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from error
            raise
        return ChannelEnd(peer, self._forwarded)

    def _forwarded(self) -> None:
        self._forwards -= 1

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether the key was brought by the wallet that holds this lease."""
        return key.get_fingerprint() in self._allowed


async def serve_ssh(
    host: str,
    port: int,
    folder: Path,
    keys: AuthorisedKeys,
    shells: Shells,
    ports: LeasePorts,
    lease: Callable[[int], Awaitable[Lease | None]],
    clock: Callable[[], float],
) -> tuple[Any, asyncssh.SSHKey]:
    """Listens; the server (with `close`) and its host key. Raises ListenFailed."""
    key = host_key(folder / "host_key")
    open_ = LeaseConnections()

    async def handle(process: Any) -> None:
        lease_id = lease_of_user(str(process.get_extra_info("username")))
        if lease_id is None or shells.over(lease_id):
            process.exit(1)
            return
        log.info("shell opened", lease=lease_id)
        await shells.serve(process, lease_id)

    server = await asyncssh.create_server(
        lambda: LeaseLogin(keys, lease, ports, clock, shells.over, open_),
        sock=ssh_socket(host, port),
        server_host_keys=[key],
        process_factory=handle,
        encoding=None,
        login_timeout=LOGIN_TIMEOUT_S,
        keepalive_interval=KEEPALIVE_S,
        agent_forwarding=False,
        allow_scp=False,
        sftp_factory=None,
        x11_forwarding=False,
        line_editor=False,
    )
    return server, key
