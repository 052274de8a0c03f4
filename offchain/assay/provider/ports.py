"""What the daemon does on the chain, as a narrow interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assay.chain.contracts.demands import Demand
from assay.chain.contracts.leases import Lease
from assay.chain.rpc.blocks import Block
from assay.proof.fraud import RoundArgument
from assay.protocol.messages import Offer
from assay.protocol.profile import Profile
from assay.provider.measurement.demand_rules import OpenDemand
from assay.provider.views import EpochView


@dataclass(frozen=True)
class Mined:
    """A transaction that was mined: its hash as 0x-hex and its gas."""

    hash: str
    gas_used: int


class Escrow(Protocol):
    """The provider's calls to LeaseEscrow. Each raises ChainError where the contract refuses."""

    async def start(self, lease: Lease, offer: Offer, roots: bytes, valid_until: int, signature: bytes) -> Mined:
        """Puts the bond up and starts the stream; `roots` and `signature` as in the renter's LeaseStart."""

    async def claim(self, lease_id: int) -> Mined:
        """Collects what has streamed beyond the holdback."""

    async def return_bond(self, lease_id: int) -> Mined:
        """Collects the bond of an ended lease."""

    async def end(self, lease: Lease) -> Mined:
        """Ends a lease now."""

    async def give_notice(self, lease: Lease) -> Mined:
        """Says that the lease will be ended once its notice has run out."""

    async def release(self, lease: Lease) -> Mined:
        """Frees the devices of a lease that its renter has left early: its stream ends now, nothing is forfeited."""

    async def claimable(self, lease_id: int) -> int:
        """What `claim` would pay now, base units."""

    async def bond_returnable(self, lease_id: int) -> int:
        """What `return_bond` would pay now, base units."""


class DemandChain(Protocol):
    """Demands for openings, and what is needed to answer them. Each raises ChainError."""

    async def open_demands(self) -> list[OpenDemand]:
        """Demands against this provider's devices that are open at the head and can be answered."""

    async def is_open(self, demand: Demand) -> bool:
        """Whether this very demand is still open at the head."""

    async def head(self) -> Block:
        """The latest block."""

    async def epoch_at_head(self) -> EpochView | None:
        """The latest opened epoch, not final yet."""

    async def profile(self, profile_id: int) -> Profile:
        """A profile of the registry."""

    async def answer_round(self, demand: Demand, shown: RoundArgument) -> Mined:
        """Shows a round leaf."""

    async def answer_row(self, demand: Demand, shown: RoundArgument, row: bytes, path: tuple[bytes, ...]) -> Mined:
        """Shows a row of a round."""

    async def collect_bonds(self) -> Mined | None:
        """Collects the bonds of answered demands; None where nothing is due."""
