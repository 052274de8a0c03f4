"""Whether a lease could begin, looked at before its renter waits for a proof, and its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from assay.chain.contracts.leases import Lease, LeaseStatus, active_lease
from assay.chain.contracts.operators import OperatorScope, may_act
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import ZERO_ADDRESS
from assay.protocol.messages import LeaseStart, Offer
from assay.protocol.rates import cost
from assay.protocol.signing import Domain, compact, signed_by
from assay.protocol.types import DeviceId
from assay.provider.account.authority import Authority
from assay.provider.errors import Conflict, NotAuthorised, ProviderError, Unavailable
from assay.provider.leasing.lease_states import require_free
from assay.provider.offers.bonds import Bonds
from assay.provider.ports import Escrow, Mined

FRESH_S = 30.0

# (contract, digest, signature) -> whether the contract accepts it, by ERC-1271
ContractCheck = Callable[[str, bytes, bytes], Awaitable[bool]]
Conditions = Callable[[int, Offer], Awaitable[None]]
"""Raises ProviderError where the lease of this number, on this offer, could not be started now."""


@dataclass(frozen=True)
class StartConditions:
    """What `start` needs beside the renter's word: read from the chain."""

    chain: Chain
    authority: Authority
    bonds: Bonds
    cards: Callable[[tuple[DeviceId, ...]], str | None] = lambda ids: None

    async def __call__(self, lease_id: int, offer: Offer) -> None:
        """Raises Conflict, Unavailable for what is in the way, with its values; ChainError."""
        if await active_lease(self.chain, offer.device_ids[0], "latest") == lease_id:
            return  # started already, only not in a final block yet
        provider = self.authority.provider
        await require_free(self.chain, provider, offer.device_ids)
        await self.authority.require(OperatorScope.START, "start leases")
        if obstacle := self.cards(offer.device_ids):
            raise Unavailable(obstacle)
        if offer.operator != ZERO_ADDRESS and not await may_act(
            self.chain, provider, offer.operator, OperatorScope.OFFER, "latest"
        ):
            raise Unavailable(f"{offer.operator}, who signed the offer, may offer nothing for {provider} any more")
        await self.bonds.require(offer.token, cost(offer.rate, offer.min_duration))


class LeaseStarts:
    """Conditions are looked at once in a while for all devices of a lease: a proof is timed by its renter, and nothing
    must be asked of the chain between the nonce and the work.
    """

    def __init__(
        self,
        conditions: Conditions,
        roots: Callable[[Lease, Offer], bytes],
        escrow: Escrow,
        domain: Domain,
        contract_accepts: ContractCheck,
        clock: Callable[[], float],
        cards_free: Callable[[tuple[DeviceId, ...]], AbstractAsyncContextManager[None]] = lambda ids: nullcontext(),
    ) -> None:
        """`cards_free` frees the cards of a lease for its renter, before anything is sent."""
        self._cards_free = cards_free
        self._conditions = conditions
        self._roots = roots
        self._escrow = escrow
        self._domain = domain
        self._contract_accepts = contract_accepts
        self._clock = clock
        self._seen: dict[int, tuple[float, ProviderError | None]] = {}
        self._looking = asyncio.Lock()

    async def obstacle(self, lease: Lease, offer: Offer) -> ProviderError | None:
        """Why a pending lease could not be started; None where it could, as of the last
        half minute. Raises ChainError.
        """
        async with self._looking:
            now = self._clock()
            self._seen = {key: seen for key, seen in self._seen.items() if seen[0] > now - FRESH_S}
            if lease.lease_id not in self._seen:
                self._seen[lease.lease_id] = (now, await self._look(lease.lease_id, offer))
            return self._seen[lease.lease_id][1]

    async def require(self, lease: Lease, offer: Offer) -> None:
        """Raises Conflict for a lease that is not pending, and for what `obstacle` finds that."""
        if lease.status is not LeaseStatus.PENDING:
            raise Conflict(f"lease {lease.lease_id} is {lease.status.name.lower()}; only a pending one can start")
        if (obstacle := await self.obstacle(lease, offer)) is not None:
            raise type(obstacle)(str(obstacle))

    async def start(self, lease: Lease, offer: Offer, roots: bytes, valid_until: int, signature: bytes) -> Mined:
        """Puts the bond up and starts the stream, for the renter's word that these very proofs convinced.

        Raises NotAuthorised for a word that is not the renter's, Conflict for one about other proofs or out of date,
        CardFailed where a card is not free, and as `require`.
        """
        if lease.status is not LeaseStatus.PENDING:
            raise Conflict(f"lease {lease.lease_id} is {lease.status.name.lower()}; only a pending one can start")
        if valid_until <= self._clock():
            raise Conflict(f"the start was valid until {valid_until}, which is over")
        if (shown := self._roots(lease, offer)) != roots:
            raise Conflict(f"the start is for the results 0x{roots.hex()}, handed over were 0x{shown.hex()}")
        digest = LeaseStart(lease.lease_id, offer.struct_hash(), roots, valid_until).digest(self._domain)
        # Before anything is sent: a word that the escrow would refuse must not cost an approval of the bond.
        by_key = signed_by(digest, _compact(signature), lease.renter)
        if not by_key and not await self._contract_accepts(lease.renter, digest, signature):
            raise NotAuthorised(f"the start is not signed by {lease.renter}")
        await self._conditions(lease.lease_id, offer)
        async with self._cards_free(offer.device_ids):
            return await self._escrow.start(lease, offer, roots, valid_until, signature)

    async def _look(self, lease_id: int, offer: Offer) -> ProviderError | None:
        try:
            await self._conditions(lease_id, offer)
        except ProviderError as error:
            return error
        return None


def _compact(signature: bytes) -> bytes:
    """A key's signature in 64 bytes, as the escrow takes both: r ‖ s ‖ v is what browsers' wallets give."""
    if len(signature) != 65 or signature[64] not in (27, 28) or signature[32] >> 7:
        return signature
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return compact(r, s, signature[64] - 27)
