"""Nonces of seats collected until there are enough of them, one piece of work for all, one answer to all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import structlog

from assay.provider.errors import Conflict, Unavailable
from assay.provider.measurement.challenge_rules import readiness

GRACE_S = 0.3
HOLD_S = 60.0
CACHED_EPOCHS = 2

Key = tuple[bytes, int, bytes]  # device, epoch, epoch seed
log = structlog.get_logger()


class ReceivedNonce(Protocol):
    """A seat's signed nonce."""

    @property
    def validator(self) -> str: ...

    @property
    def nonce(self) -> bytes: ...


Signed = TypeVar("Signed", bound=ReceivedNonce)


@dataclass
class _Round(Generic[Signed]):
    """The nonces for one device in one epoch, until the answer is there."""

    seats: int
    answer: asyncio.Future[str]
    collected: dict[str, Signed] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: bool = False

    def add(self, signed: Signed) -> None:
        """Takes a nonce; a retry must bring the same. One that comes after the start changes nothing."""
        account = signed.validator.lower()
        known = self.collected.get(account)
        if known is not None and known.nonce != signed.nonce:
            raise Conflict(f"{signed.validator} has sent another nonce in this epoch")
        if known is None and not self.frozen:
            self.collected[account] = signed
        if readiness(self.collected, self.seats) == "start":
            self.complete.set()

    def waits_for(self) -> str:
        """What holds the answer up."""
        if self.frozen:
            return "the device is still at it"
        return f"{len(self.collected)} of {self.seats} seats have asked, which is no quorum"

    def freeze(self) -> list[Signed]:
        """Closes the list: ascending by seat account, as the hash of the nonces needs it."""
        self.frozen = True
        return [self.collected[account] for account in sorted(self.collected, key=lambda a: int(a, 16))]


class NonceRounds(Generic[Signed]):
    """One round a device and epoch. `what` names the answer in errors."""

    def __init__(self, what: str, grace_s: float = GRACE_S, hold_s: float = HOLD_S) -> None:
        self._what = what
        self._grace_s = grace_s
        self._hold_s = hold_s
        self._rounds: dict[Key, _Round[Signed]] = {}
        self._told: dict[Key, str] = {}  # why there was none

    async def answer(self, key: Key, seats: int, signed: Signed, work: Callable[[list[Signed]], Awaitable[str]]) -> str:
        """What `work` gives for the nonces of a quorum or more, held until it is there.

        Raises Conflict for a second nonce of a seat, Unavailable where no quorum came in time or the work failed: the
        same nonce may then be sent again.
        """
        current = self._round(key, seats)
        current.add(signed)
        if current.task is None and readiness(current.collected, current.seats) != "wait":
            current.task = asyncio.create_task(self._work(key, current, work))
        try:
            async with asyncio.timeout(self._hold_s):
                return await asyncio.shield(current.answer)
        except TimeoutError as error:
            raise Unavailable(
                f"no {self._what} for epoch {key[1]} within {self._hold_s:.0f} s: {current.waits_for()}"
            ) from error

    def _round(self, key: Key, seats: int) -> _Round[Signed]:
        if key not in self._rounds:
            for old in [k for k in self._rounds if k[1] + CACHED_EPOCHS <= key[1]]:
                del self._rounds[old]
            for old in [k for k in self._told if k[1] + CACHED_EPOCHS <= key[1]]:
                del self._told[old]
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            # A failure nobody waits for any more is logged by _work; it must not be reported a second time.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._rounds[key] = _Round(seats=seats, answer=future)
        return self._rounds[key]

    async def _work(self, key: Key, current: _Round[Signed], work: Callable[[list[Signed]], Awaitable[str]]) -> None:
        device, epoch = "0x" + key[0].hex(), key[1]
        try:
            try:
                async with asyncio.timeout(self._grace_s):
                    await current.complete.wait()
            except TimeoutError:
                log.debug("grace over", what=self._what, device=device, epoch=epoch, nonces=len(current.collected))
            answer = await work(current.freeze())
        except Exception as error:
            if self._told.get(key) != str(error):  # it is asked again and again
                log.error(f"no {self._what}", device=device, epoch=epoch, error=str(error))
            self._told[key] = str(error)
            self._rounds.pop(key, None)
            if not current.answer.done():
                current.answer.set_exception(Unavailable("the device could not do the work"))
            return
        if not current.answer.done():
            current.answer.set_result(answer)
