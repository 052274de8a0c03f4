"""Validator seats with their endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.chain.abi_values import announced
from assay.chain.blocks import Block
from assay.chain.client import At, Chain
from assay.chain.events import event_pieces


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat in signing order; `endpoint` is its latest announcement, empty where it made none or
    one that is no visible text."""

    index: int
    account: str
    signer: str
    endpoint: str = ""
    tls_fingerprint: bytes = bytes(32)


class SeatDirectory:
    """Seats of sets; endpoints are followed through events, each refresh reading only what is new."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._endpoints: dict[str, tuple[str, bytes]] = {}
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def of_set(self, set_id: int, at: Block | None = None) -> tuple[Seat, ...]:
        """Seats of a set that an epoch has fixed. Raises Reverted for a set that was not."""
        at = at or await self._chain.finalised()
        rows = await self._chain.call("ValidatorSet", "seatsOf", set_id, at=at)
        return await self._with_endpoints(rows, at)

    async def current(self, at: Block | None = None) -> tuple[Seat, ...]:
        """The seats an epoch opened now would fix."""
        at = at or await self._chain.finalised()
        rows = await self._chain.call("ValidatorSet", "currentSeats", at=at)
        return await self._with_endpoints(rows, at)

    async def _with_endpoints(self, rows: Any, at: Block) -> tuple[Seat, ...]:
        await self._refresh(at)
        return tuple(
            Seat(i, row.account, row.signer, *self._endpoints.get(row.account, ("", bytes(32))))
            for i, row in enumerate(rows)
        )

    async def _refresh(self, at: Block) -> None:
        behind = self._last is not None and at.number < self._last.number
        if behind or (self._last is not None and not await self._chain.is_canonical(self._last)):
            self._endpoints, self._next = {}, self._chain.deployment.block
        async for end, events in event_pieces(self._chain, "ValidatorSet", ("SeatEndpoint",), self._next, at):
            for event in events:
                known = (announced(event.args["endpoint"]), event.args["tlsFingerprint"])
                self._endpoints[event.args["account"]] = known
            self._next = end + 1
        self._last = at


async def seat_nonce(chain: Chain, account: str, at: At = "latest") -> int:
    """The nonce the signer key's next SeatClaim for this account must carry."""
    nonce: int = await chain.call("ValidatorSet", "seatNonce", account, at=at)
    return nonce
