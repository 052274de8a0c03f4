"""What an SSH connection forwards: ports and sockets in files, both ways, and the client's agent. All of it ends in the
lease's own namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.forward import SSHForwarder, SSHLocalPathForwarder, SSHLocalPortForwarder

from assay.provider.access.lease_ports import LeasePorts
from assay.provider.errors import NotFound, ProviderError
from assay.provider.pods.pod import TOOLS_INSIDE, Pods

MAX_FORWARDS = 128  # connections that one SSH connection forwards
MAX_LISTENERS = 16
AGENTS = "agents"


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


class Forwards:
    """Those of one SSH connection, counted. `over` says whether the lease may have any."""

    def __init__(self, ports: LeasePorts, agents: AgentFolders | None, over: Callable[[int], bool]) -> None:
        self._ports = ports
        self._agents = agents
        self._over = over
        self._open = 0
        self._listeners: list[ForwardListener] = []
        self._agent: Agent | None = None

    @property
    def agent_path(self) -> str | None:
        """The forwarded agent's socket as it is inside."""
        return None if self._agent is None else self._agent.inside

    async def to_port(self, lease_id: int, host: str, port: int) -> Any:
        """`ssh -L`, `-D`, `-W`: to a port of the lease's workloads. Nothing else is asked, resolved or tried."""
        if not 0 < port < 1 << 16:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no such port")
        return await self._to(lease_id, lambda: self._ports.connect(lease_id, host, port))

    async def to_file(self, lease_id: int, path: str) -> Any:
        """To a socket in a file of the lease's workloads."""
        return await self._to(lease_id, lambda: self._ports.connect_file(lease_id, path))

    async def _to(self, lease_id: int, connect: Callable[[], Any]) -> Any:
        if self._over(lease_id):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "the lease is over")
        if not self.take():
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "too many forwarded connections")
        try:
            inside = await connect()
            loop = asyncio.get_running_loop()
            if inside.family == socket.AF_UNIX:
                _, peer = await loop.create_unix_connection(SSHForwarder, sock=inside)
            else:
                _, peer = await loop.create_connection(SSHForwarder, sock=inside)
        except BaseException as error:
            self.give_back()
            if isinstance(error, (ProviderError, OSError)):
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from error
            raise
        return ChannelEnd(peer, self.give_back)

    def take(self) -> bool:
        """Whether there was room for one more connection."""
        if self._open >= MAX_FORWARDS:
            return False
        self._open += 1
        return True

    def give_back(self) -> None:
        """One connection is over."""
        self._open -= 1

    async def from_port(self, connection: Any, lease_id: int, host: str, port: int) -> ForwardListener | None:
        """`ssh -R`: listens on the lease's own loopback, whatever address was asked for. None where that cannot be."""
        if not self._may_listen(lease_id) or not 0 <= port < 1 << 16:
            return None
        try:
            listening = await self._ports.listen(lease_id, port)
        except (ProviderError, OSError):
            return None
        number = int(listening[0].getsockname()[1])

        async def tunnel(factory: Any, from_host: str, from_port: int) -> Any:
            return await connection.create_connection(factory, host, port or number, from_host, from_port)

        return await self._listener(listening, number, lambda: ComingPort(self, connection, tunnel))

    async def from_file(self, connection: Any, lease_id: int, path: str) -> ForwardListener | None:
        """`ssh -R PATH:…`: listens in a file of the lease's."""
        if not self._may_listen(lease_id):
            return None
        try:
            listening = await self._ports.listen_file(lease_id, path)
        except (ProviderError, OSError):
            return None

        async def tunnel(factory: Any) -> Any:
            return await connection.create_unix_connection(factory, path)

        return await self._listener([listening], 0, lambda: ComingFile(self, connection, tunnel))

    def _may_listen(self, lease_id: int) -> bool:
        self._listeners = [one for one in self._listeners if one.open]
        return not self._over(lease_id) and len(self._listeners) < MAX_LISTENERS

    async def _listener(self, listening: list[socket.socket], port: int, made: Callable[[], Any]) -> ForwardListener:
        loop, servers = asyncio.get_running_loop(), list[asyncio.AbstractServer]()
        for one in listening:
            one.setblocking(False)
            make = loop.create_unix_server if one.family == socket.AF_UNIX else loop.create_server
            servers.append(await make(made, sock=one))
        self._listeners.append(ForwardListener(servers, port))
        return self._listeners[-1]

    async def agent(self, connection: Any, lease_id: int) -> bool:
        """`ssh -A`: makes the agent's socket inside, once a connection. Whether there is one."""
        if self._agent is not None:
            return True
        if self._agents is None or not self._may_listen(lease_id):
            return False

        async def tunnel(factory: Any) -> Any:
            channel = connection.create_agent_channel()
            return channel, await channel.open(factory)

        try:
            agent = await asyncio.to_thread(self._agents.made, lease_id)
        except (ProviderError, OSError):
            return False
        listener = await self._listener([agent.listening], 0, lambda: ComingFile(self, connection, tunnel))
        agent.listener = listener
        self._agent = agent
        return True

    def close(self) -> None:
        """Ends all listening; what is forwarded ends with the connection."""
        for one in self._listeners:
            one.close()
        if self._agent is not None:
            self._agent.remove()


class ForwardListener(asyncssh.SSHListener):  # type: ignore[misc]
    """Sockets of a lease that listen for an SSH connection."""

    def __init__(self, servers: list[asyncio.AbstractServer], port: int) -> None:
        super().__init__()
        self._servers = servers
        self._port = port
        self.open = True

    def get_port(self) -> int:
        """The port, 0 for a socket in a file."""
        return self._port

    def close(self) -> None:
        """Listens no more."""
        self.open = False
        for one in self._servers:
            one.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""


class _Coming:
    """A connection that comes from a lease, counted as those that go there. Stands before asyncssh's forwarder."""

    def __init__(self, forwards: Forwards, connection: Any, tunnel: Any) -> None:
        super().__init__(connection, tunnel)  # type: ignore[call-arg]
        self._forwards = forwards
        self._counted = False

    def connection_made(self, transport: Any) -> None:
        """Opens a channel for it, where there is room."""
        self._counted = self._forwards.take()
        if self._counted:
            super().connection_made(transport)  # type: ignore[misc]
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives its place back."""
        if self._counted:
            self._counted = False
            self._forwards.give_back()
        super().connection_lost(exc)  # type: ignore[misc]

    def write_eof(self) -> None:
        """Closes both sides once neither sends any more: asyncssh leaves open what ended here first."""
        super().write_eof()  # type: ignore[misc]
        if self.was_eof_received():  # type: ignore[attr-defined]
            asyncio.get_running_loop().call_soon(self.close)  # type: ignore[attr-defined]


class ComingPort(_Coming, SSHLocalPortForwarder):  # type: ignore[misc]
    """To a port."""


class ComingFile(_Coming, SSHLocalPathForwarder):  # type: ignore[misc]
    """To a socket in a file."""


class Agent:
    """The socket of one forwarded agent, in a folder of its own that only the pod's root can enter."""

    def __init__(self, folder: Path, inside: str, listening: socket.socket) -> None:
        self._folder = folder
        self.inside = inside
        self.listening = listening
        self.listener: ForwardListener | None = None

    def remove(self) -> None:
        """Ends it, and leaves nothing of it."""
        if self.listener is not None:
            self.listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class AgentFolders:
    """Where agents' sockets appear in pods: below the folder that this host writes and a pod only reads."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._seen: set[int] = set()

    def made(self, lease_id: int) -> Agent:
        """A socket that listens, for the pod's root. Raises NotFound where no pod runs, OSError."""
        pid = self._pods.status(lease_id).pid
        if pid is None:
            raise NotFound(f"no pod of lease {lease_id} runs")
        owner = root_of(pid)
        above = self._pods.tools_folder(lease_id) / AGENTS
        if lease_id not in self._seen:  # what an earlier run of this daemon left
            shutil.rmtree(above, ignore_errors=True)
            self._seen.add(lease_id)
        name = secrets.token_hex(8)
        folder = above / name
        above.mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(mode=0o700)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            # By the descriptor: the path to it may be longer than an address of a socket.
            listening.bind(f"/proc/self/fd/{handle}/agent")
            listening.listen()
            os.chmod("agent", 0o600, dir_fd=handle)
            os.chown("agent", *owner, dir_fd=handle, follow_symlinks=False)
            os.fchown(handle, *owner)
        except BaseException:
            listening.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            os.close(handle)
        return Agent(folder, f"{TOOLS_INSIDE}/{AGENTS}/{name}/agent", listening)


def root_of(pid: int) -> tuple[int, int]:
    """The user and group of this host that are root for a process. Raises NotFound."""
    found = []
    for name in ("uid_map", "gid_map"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
                inside, outside, _ = (int(word) for word in line.split())
                if inside == 0:
                    found.append(outside)
                    break
    if len(found) != 2:
        raise NotFound(f"process {pid} is gone, or has no root")
    return found[0], found[1]
