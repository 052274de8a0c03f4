"""A port of this machine's loopback that leads to a port of a lease, by OpenSSH."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys

from assay.renter.errors import RenterError, Unreachable
from assay.renter.session.ssh_access import SshAccess

HOST = "127.0.0.1"
TAIL = 1_500
PR_SET_PDEATHSIG = 1
ENDING_S = 5.0


def end_with_parent() -> None:
    """In a child that is about to begin: it ends when this process does, however that comes (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


class SshTunnel:
    """One that is open, or was. Nobody but this machine reaches it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    @classmethod
    async def open(cls, access: SshAccess, port_there: int, address: str = "localhost") -> SshTunnel:
        """To a port of an address in the lease. It may break off at once, which `fault` tells. Raises RenterError
        without OpenSSH."""
        port = free_port()
        lead = f"{HOST}:{port}:{address}:{port_there}"
        line = access.command(flags=["-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-L", lead])
        try:
            process = await asyncio.create_subprocess_exec(
                *line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE, start_new_session=True, preexec_fn=end_with_parent,
            )  # fmt: skip
        except FileNotFoundError:
            raise RenterError("there is no ssh here: install OpenSSH's client (package openssh-client)") from None
        return cls(process, port)

    @property
    def is_open(self) -> bool:
        """Whether OpenSSH still holds it."""
        return self._process.returncode is None

    async def fault(self) -> Unreachable:
        """Why one that is no longer open is not."""
        said = await self._process.stderr.read(TAIL) if self._process.stderr else b""
        return Unreachable(f"the tunnel ended: {said.decode('utf-8', 'replace').strip() or 'OpenSSH did not say why'}")

    async def close(self) -> None:
        """Ends it."""
        if self.is_open:
            self._process.terminate()
            try:
                async with asyncio.timeout(ENDING_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
