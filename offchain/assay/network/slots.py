"""How many answers may be under way at once: of one asker, and in all. Whatever ends an answer gives its slot back."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus

from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

RETRY_AFTER_S = 30


class NoSlot(Exception):
    """Too many are under way: of this asker (`status` 429), or in all (503)."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)

    def response(self, name: str = "error") -> JSONResponse:
        """The refusal, with when to try again."""
        return JSONResponse({name: self.reason}, self.status, {"retry-after": str(RETRY_AFTER_S)})


class Slots:
    """`most` in all, `most_each` of one asker: see `request_buckets.asker`."""

    def __init__(self, most: int, most_each: int) -> None:
        self.most, self.most_each = most, most_each
        self._held: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are under way."""
        return self._held.total()

    def take(self, who: str) -> Slot:
        """One for this asker. Raises NoSlot."""
        if self._held[who] >= self.most_each:
            raise NoSlot(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{who} has {self.most_each} of these open, the most that one address may have: close one first",
            )
        if self.taken >= self.most:
            raise NoSlot(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.most} of these are open, the most that there may be: try again in a moment",
            )
        self._held[who] += 1
        return Slot(self._held, who)


class Slot:
    """One that is taken."""

    def __init__(self, held: Counter[str], who: str) -> None:
        self._held, self._who, self._mine = held, who, True

    def give_back(self) -> None:
        """Once, however often it is called."""
        if self._mine:
            self._mine = False
            self._held[self._who] -= 1
            if not self._held[self._who]:
                del self._held[self._who]


class SlotResponse(StreamingResponse):
    """A streamed answer that holds a slot until it ends, with whatever else was opened for it on `stack`.

    Not the pieces' own generator gives it back: that of an asker who is gone before the first piece never begins.
    """

    def __init__(
        self,
        slot: Slot,
        pieces: AsyncIterator[bytes],
        *,
        status: int = HTTPStatus.OK,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        stack: AsyncExitStack | None = None,
    ) -> None:
        super().__init__(pieces, status, headers, media_type)
        self._slot, self._stack = slot, stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slot.give_back()
            if self._stack is not None:
                await self._stack.aclose()
