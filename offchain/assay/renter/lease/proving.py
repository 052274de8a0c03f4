"""Proofs inside a lease's pod, again and again while it runs, beside the looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from assay.renter.errors import ProofRejected, RenterError

Prove = Callable[[tuple[Path, ...]], Awaitable[str]]  # wheels to send -> what is short, empty where nothing is


@dataclass(frozen=True)
class ProofPolicy:
    """`every` so many seconds, from the end of one proof to the beginning of the next; with `end` a proof that fails or
    is slow ends the lease, whatever that costs. `wheels` are sent with the first.
    """

    every: float
    end: bool = False
    wheels: tuple[Path, ...] = ()


class ProofRounds:
    """Of one lease. A proof takes a minute or more, and nothing waits for it."""

    def __init__(
        self, prove: Prove, proving: ProofPolicy, clock: Callable[[], float], tell: Callable[[str], None]
    ) -> None:
        self._prove, self._proving, self._clock, self._tell = prove, proving, clock, tell
        self._wheels = proving.wheels
        self._next = clock() + proving.every
        self._running: asyncio.Task[str] | None = None

    def look(self) -> str:
        """What the proof that has just ended found to be wrong, once; begins the next where it is due."""
        found = ""
        if self._running is not None and self._running.done():
            ended, self._running = self._running, None
            self._next = self._clock() + self._proving.every
            found = ended.result()
        if self._running is None and self._clock() >= self._next:
            self._running = asyncio.ensure_future(self._once())
        return found

    async def close(self) -> None:
        """Ends a proof that runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _once(self) -> str:
        try:
            fault = await self._prove(self._wheels)
        except ProofRejected as error:
            fault = str(error)
        except RenterError as error:
            # The provider may be away, and the image may lack something: neither speaks against the card.
            self._tell(f"not proven this time, trying again in {self._proving.every:g} s: {error}")
            return ""
        self._wheels = ()
        self._tell(f"the proof in the pod: {fault}" if fault else "the card proved itself in the pod again")
        return fault
