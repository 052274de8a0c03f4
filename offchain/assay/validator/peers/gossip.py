"""Telling all other seats, asking each for its signature, and fetching what others hold."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

import structlog

from assay.daemon.ending import end_tasks
from assay.network.backoff import Backoff
from assay.network.client import HttpAnswer
from assay.protocol.keccak import keccak
from assay.protocol.types import DeviceId
from assay.signing.errors import SigningError
from assay.validator.errors import PeerFailure
from assay.validator.peers.posts import Post, Posts
from assay.validator.ports import Clock, Peers
from assay.wire import paths
from assay.wire.epoch_index import EpochIndex
from assay.wire.gossip import SeatMessage
from assay.wire.limits import MAX_INDEX_BYTES
from assay.wire.measurement import signature_in

RETRY_S = 0.3
DELIVERY = Backoff(first_s=RETRY_S, factor=1.5, longest_s=5.0)
HEDGES = 16  # so many accounts are asked within the time-out of one request
REQUESTS_A_PEER = 32  # downloads at once: what one seat delays must not keep connections from the others
AGAIN = frozenset(  # the peer may take it later
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
T = TypeVar("T")
Ask = Callable[[str], Coroutine[Any, Any, T | None]]  # of an account

log = structlog.get_logger()


@dataclass(frozen=True)
class Gossiper:
    """Speaks to the other seats' daemons."""

    peers: Peers
    posts: Posts
    clock: Clock
    request_s: float
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def tell(self, accounts: Sequence[str], path: str, message: SeatMessage, deadline: float) -> None:
        """Posts a message to each account, again and again until it is taken, refused, or too late."""
        try:
            post = await self.posts.of(path, message)
        except SigningError as error:
            log.warning("message not sent", path=path, error=str(error)[:200])
            return
        await asyncio.gather(*(self._deliver(a, path, post, deadline) for a in accounts))

    async def ask(
        self, account: str, path: str, message: SeatMessage, deadline: float, wanted: Callable[[], bool]
    ) -> bytes | str:
        """The signature (64 bytes) that a peer gives for a proposal, or the reason why it gives none."""
        try:
            post = await self.posts.of(path, message)
        except SigningError as error:
            return str(error)[:300]
        reason = "no answer"
        while wanted() and self.clock.now() < deadline:
            answer = await self._try(account, path, post, deadline)
            if answer is not None and answer.status == HTTPStatus.OK:
                return _signature(answer)
            if answer is not None:
                reason = _reason(answer)
                if answer.status not in AGAIN:
                    return reason
            await self.clock.sleep(RETRY_S)
        return reason

    async def race(self, accounts: Iterable[str], ask: Ask[T], deadline: float, *, again: bool = False) -> T | None:
        """What `ask` gives first of any account; None where none gave anything by the deadline, Unix seconds.

        The next account is asked when one before it has failed or keeps waiting: a slow one costs a moment, not the
        turn. With `again` each is asked until the deadline.
        """
        waiting = deque(accounts)
        running = dict[asyncio.Task[T | None], tuple[str, int]]()

        async def after(pause: float, account: str) -> T | None:
            await self.clock.sleep(pause)
            return await ask(account)

        def start(account: str, failures: int) -> None:
            running[asyncio.create_task(after(DELIVERY.after(failures), account))] = account, failures

        try:
            while (waiting or running) and (left := deadline - self.clock.now()) > 0:
                if waiting:
                    start(waiting.popleft(), 0)
                patience = min(left, self.request_s / HEDGES) if waiting else left
                done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    (account, failures), found = running.pop(task), task.result()
                    if found is not None:
                        return found
                    if again:
                        start(account, failures + 1)
            return None
        finally:
            await end_tasks(running)

    async def fetch(self, accounts: Iterable[str], digest: bytes, max_bytes: int, deadline: float) -> bytes | None:
        """Content with this H from whichever of the accounts gives it first; None where none does by the deadline."""
        return await self.race(accounts, lambda account: self.content(account, digest, max_bytes), deadline)

    async def content(self, account: str, digest: bytes, max_bytes: int) -> bytes | None:
        """Content with this H from one account, which may take its time."""
        body = await self._get(account, paths.content(digest), max_bytes)
        return body if body is not None and keccak(body) == digest else None

    async def opening(self, account: str, epoch: int, device_id: DeviceId, max_bytes: int) -> bytes | None:
        """The opening of a device that verified at an account, which may take its time."""
        return await self._get(account, paths.epoch_opening(epoch, device_id), max_bytes)

    async def index(self, account: str, epoch: int) -> EpochIndex | None:
        """What a peer holds of an epoch; it may take its time."""
        body = await self._get(account, paths.epoch(epoch), MAX_INDEX_BYTES)
        try:
            return None if body is None else EpochIndex.parse(body)
        except ValueError as error:
            log.debug("index refused", peer=account, reason=str(error)[:200])
            return None

    async def _get(self, account: str, path: str, max_bytes: int) -> bytes | None:
        async with self._slots.setdefault(account, asyncio.Semaphore(REQUESTS_A_PEER)):
            try:
                answer = await self.peers.get(account, path, max_bytes, self.request_s)
            except PeerFailure:
                return None
        return answer.body if answer.status == HTTPStatus.OK else None

    async def _deliver(self, account: str, path: str, post: Post, deadline: float) -> None:
        failures = 0
        while self.clock.now() < deadline:
            answer = await self._try(account, path, post, deadline)
            if answer is not None and answer.status == HTTPStatus.OK:
                return
            if answer is not None and answer.status not in AGAIN:
                log.warning("message refused", peer=account, path=path, reason=_reason(answer))
                return
            failures += 1
            await self.clock.sleep(DELIVERY.after(failures))

    async def _try(self, account: str, path: str, post: Post, deadline: float) -> HttpAnswer | None:
        try:
            async with asyncio.timeout(deadline - self.clock.now()):
                return await self.peers.post(account, path, post.body, post.headers, self.request_s)
        except TimeoutError:
            log.debug("peer slow", peer=account, path=path)
        except PeerFailure as error:
            log.debug("peer silent", peer=account, path=path, error=str(error))
        return None


def _signature(answer: HttpAnswer) -> bytes | str:
    try:
        signature = signature_in(json.loads(answer.body))
    except (ValueError, RecursionError):
        signature = None
    return signature or "an answer without a signature"


def _reason(answer: HttpAnswer) -> str:
    try:
        value = json.loads(answer.body)
        return str(value["reason"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"HTTP {answer.status}"
