"""One sender a key on a host, whatever folder its journal is in: two would spoil each other's nonces.

The lock is an abstract Unix socket: the kernel lets go of it with the process, however that ends; it is the same one
for every user and service of the host; and who holds it can be told.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Self

from assay.chain.errors import ChainError, KeyInUse
from assay.chain.rpc.client import Chain

_CREDENTIALS = struct.Struct("3i")  # process, user, group: struct ucred


class KeyLock:
    """Held from its making to `close`."""

    def __init__(self, address: str, genesis: bytes) -> None:
        """Takes the lock of an account on the chain with this first block. Raises KeyInUse where another process, or
        this one, holds it."""
        name = f"\0assay-key-{genesis.hex()[:16]}-{address.lower()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(name)
            self._socket.listen(1)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise ChainError(f"the lock of {address} cannot be taken: {error.strerror}") from None
            raise KeyInUse(address, _holder(name)) from None

    @classmethod
    async def of(cls, chain: Chain, address: str) -> Self:
        """The lock of an account on this chain. Raises KeyInUse, ChainError."""
        return cls(address, (await chain.block(0)).hash)

    def close(self) -> None:
        """Lets go of it."""
        self._socket.close()


def _holder(name: str) -> int | None:
    """The process that listens at a name; None where it cannot be told, such as from within a container."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(name)
            process, *_ = _CREDENTIALS.unpack(
                asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
        except OSError:
            return None
    return int(process) or None
