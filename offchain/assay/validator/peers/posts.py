"""Messages as they are posted to other seats: canonical bodies, and headers in which this seat answers for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from assay.protocol.keccak import keccak
from assay.protocol.messages import Gossip
from assay.wire import canonical
from assay.wire.gossip import SeatMessage
from assay.wire.post_headers import PostHeaders, post_statement


@dataclass(frozen=True, slots=True)
class Post:
    """One message, ready for any seat."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Posts:
    """`account` holds the seat whose signer `sign` signs with. The latest message of each path is kept: it is encoded
    and signed once, however many seats it goes to and however often.
    """

    account: str
    sign: Callable[[Gossip], Awaitable[bytes]]
    _latest: dict[str, tuple[SeatMessage, Post]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, path: str, message: SeatMessage) -> Post:
        """The message for a path. Raises SigningError."""
        async with self._turn:
            known = self._latest.get(path)
            if known is not None and known[0] is message:
                return known[1]
            body = canonical.encode(message.to_json())
            statement = post_statement(path, message.epoch, message.set_id, keccak(body))
            signature = await self.sign(statement)
            said = PostHeaders(self.account, message.epoch, message.set_id, statement.content_hash, signature)
            post = Post(body, said.to_headers())
            self._latest[path] = message, post
            return post
