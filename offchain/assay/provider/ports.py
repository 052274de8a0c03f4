"""What the daemon does on the chain, as a narrow interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assay.chain.leases import Lease


@dataclass(frozen=True)
class Mined:
    """A transaction that was mined: its hash as 0x-hex and its gas."""

    hash: str
    gas_used: int


class Escrow(Protocol):
    """The provider's calls to LeaseEscrow. Each raises ChainError where the contract refuses."""

    async def start(self, lease: Lease, result_root: bytes, valid_until: int, signature: bytes) -> Mined:
        """Approves the bond in the lease's token and starts the stream."""

    async def claim(self, lease_id: int) -> Mined:
        """Collects what has streamed beyond the holdback."""

    async def return_bond(self, lease_id: int) -> Mined:
        """Collects the bond of an ended lease."""

    async def claimable(self, lease_id: int) -> int:
        """What `claim` would pay now, base units."""

    async def bond_returnable(self, lease_id: int) -> int:
        """What `return_bond` would pay now, base units."""
