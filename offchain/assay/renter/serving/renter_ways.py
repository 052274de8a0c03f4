"""Ways to leases' servers by SSH, as `assay ssh -L` makes them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from assay.renter.session.ssh_access import open_access
from assay.renter.session.ssh_tunnel import SshTunnel

if TYPE_CHECKING:
    from assay.renter.renter import Renter

SETTLE_S = 1.5  # in which a connection that is refused breaks off


class RenterWays:
    """As `Ways`: to `port` of each lease's loopback."""

    def __init__(self, renter: Renter, folder: Path, port: int) -> None:
        self._renter, self._folder, self._port = renter, folder, port

    async def open(self, lease_id: int) -> SshTunnel:
        """Raises RenterError, ChainError."""
        access = await open_access(await self._renter.session(lease_id), lease_id, self._folder)
        tunnel = await SshTunnel.open(access, self._port)
        await asyncio.sleep(SETTLE_S)
        if not tunnel.is_open:
            raise await tunnel.fault()
        return tunnel
