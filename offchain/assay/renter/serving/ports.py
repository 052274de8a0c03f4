"""What serving acts with beside the market and the wallet: the router, and the way to one lease's server."""

from __future__ import annotations

from typing import Protocol

from assay.renter.serving.router import RouterState


class Router(Protocol):
    """One address here, requests to whichever replica answers; slots are numbered from 1."""

    async def add(self, slot: int, port: int) -> None:
        """A replica answers at a port of the loopback."""

    async def drain(self, slot: int) -> None:
        """Nothing new goes to it."""

    async def remove(self, slot: int) -> None:
        """Nothing goes to it any more."""

    async def look(self) -> RouterState:
        """How all are. Raises OSError."""


class Way(Protocol):
    """A port of the loopback that leads to a lease's server, while it is open."""

    @property
    def port(self) -> int: ...
    @property
    def is_open(self) -> bool: ...
    async def close(self) -> None: ...


class Ways(Protocol):
    """Ways to leases."""

    async def open(self, lease_id: int) -> Way:
        """Raises RenterError, ChainError: it may come later, as a pod that starts."""
