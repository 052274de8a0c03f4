"""Openings that anybody may ask for: each is made once, for an epoch that is being checked, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from assay.provider.errors import NotFound
from assay.provider.views import Epochs

CACHED_EPOCHS = 3
MADE_EPOCHS = 2  # the latest epochs, for which a proof is made again if need be

Key = tuple[bytes, int, bytes]
"""Device, epoch and rho."""


class KeptOpenings:
    """Without this a stranger who asks for old epochs would have a full proof made for each, before the challenges."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._made: dict[Key, asyncio.Future[bytes]] = {}

    async def get(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The opening, made by whoever asks first. Raises NotFound for one of an old epoch that is not kept."""
        if key not in self._made:
            await self._require_recent(key[1])
        if key not in self._made:
            made = asyncio.ensure_future(make())
            made.add_done_callback(lambda one: self._done(key, one))
            self._made[key] = made
        # Who asked first may hang up: the others wait for the same.
        return await asyncio.shield(self._made[key])

    async def _require_recent(self, epoch: int) -> None:
        latest = await self._epochs.latest()
        if latest is not None and epoch + MADE_EPOCHS <= latest.epoch:
            raise NotFound(
                f"the opening of epoch {epoch} is no longer kept; the chain still accepts demands for its rows"
            )

    def _done(self, key: Key, made: asyncio.Future[bytes]) -> None:
        if made.cancelled() or made.exception() is not None:
            self._made.pop(key, None)
            return
        for old in [one for one in self._made if one[1] + CACHED_EPOCHS <= key[1]]:
            del self._made[old]
