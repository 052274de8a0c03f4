"""Telling all other seats, asking each for its signature, and fetching what others hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from assay.network.backoff import Backoff
from assay.network.client import Answer
from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.validator import canonical
from assay.validator.errors import PeerFailure
from assay.validator.ports import Clock, Peers
from assay.validator.wire_types import Wire

RETRY_S = 0.3
DELIVERY = Backoff(first_s=RETRY_S, factor=1.5, longest_s=5.0)
MOST_INDEX_BYTES = 64 << 20
AGAIN = frozenset({429, 502, 503, 504})  # the peer may take it later

log = structlog.get_logger()


@dataclass(frozen=True)
class Gossiper:
    """Speaks to the other seats' daemons."""

    peers: Peers
    clock: Clock
    request_s: float

    async def tell(self, accounts: Sequence[str], path: str, message: Wire, deadline: float) -> None:
        """Posts a message to each account, again and again until it is taken, refused, or too late."""
        body = canonical.encode(message.to_json())
        await asyncio.gather(*(self._deliver(a, path, body, deadline) for a in accounts))

    async def ask(
        self, account: str, path: str, message: Wire, deadline: float, wanted: Callable[[], bool]
    ) -> bytes | str:
        """The signature (64 bytes) that a peer gives for a proposal, or the reason why it gives none."""
        body = canonical.encode(message.to_json())
        reason = "no answer"
        while wanted() and self.clock.now() < deadline:
            answer = await self._try(account, path, body)
            if answer is not None and answer.status == 200:
                return _signature(answer)
            if answer is not None:
                reason = _reason(answer)
                if answer.status not in AGAIN:
                    return reason
            await self.clock.sleep(RETRY_S)
        return reason

    async def fetch(self, accounts: Sequence[str], digest: bytes, most_bytes: int) -> bytes | None:
        """Content with this H from the first of the accounts that has it."""
        for account in accounts:
            try:
                answer = await self.peers.get(account, f"/v1/content/{to_hex(digest)}", most_bytes, self.request_s)
            except PeerFailure:
                continue
            if answer.status == 200 and keccak(answer.body) == digest:
                return answer.body
        return None

    async def index(self, account: str, epoch: int) -> dict[str, Any] | None:
        """What a peer holds of an epoch."""
        try:
            answer = await self.peers.get(account, f"/v1/epochs/{epoch}", MOST_INDEX_BYTES, self.request_s)
        except PeerFailure:
            return None
        if answer.status != 200:
            return None
        try:
            value = json.loads(answer.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    async def _deliver(self, account: str, path: str, body: bytes, deadline: float) -> None:
        failures = 0
        while self.clock.now() < deadline:
            answer = await self._try(account, path, body)
            if answer is not None and answer.status == 200:
                return
            if answer is not None and answer.status not in AGAIN:
                log.warning("message refused", peer=account, path=path, reason=_reason(answer))
                return
            failures += 1
            await self.clock.sleep(DELIVERY.after(failures))

    async def _try(self, account: str, path: str, body: bytes) -> Answer | None:
        try:
            return await self.peers.post(account, path, body, self.request_s)
        except PeerFailure as error:
            log.debug("peer silent", peer=account, path=path, error=str(error))
            return None


def _signature(answer: Answer) -> bytes | str:
    try:
        return parse_signature(json.loads(answer.body)["signature"])
    except (ValueError, KeyError, TypeError, HexadecimalError, RecursionError):
        return "an answer without a signature"


def _reason(answer: Answer) -> str:
    try:
        value = json.loads(answer.body)
        return str(value["reason"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"HTTP {answer.status}"
