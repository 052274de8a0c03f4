"""Several RPC endpoints used as one: fail-over, and agreement on the head."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from assay.chain.errors import (
    BlockGone,
    ChainError,
    Declined,
    EndpointFault,
    EndpointsDisagree,
    NoFinality,
    RpcError,
    UnreachableChain,
    UnreadableAnswer,
    WrongChainId,
    shown_url,
)
from assay.chain.rpc.blocks import Block, parse_block, quantity
from assay.chain.rpc.endpoint import RpcEndpoint

T = TypeVar("T")
_FIRST_PENALTY_S = 1.0
_LONGEST_PENALTY_S = 60.0
_PATIENCE_S = 1.0  # with the others, once as many have answered as must
_HEDGE_S = 2.0  # for an answer, before the next endpoint is asked as well
_CHECKED_FOR_S = 10.0  # behind one address there may be another node by then
# What nodes say of a block they do not have (yet, or any more).
_NO_BLOCK = re.compile(
    r"resource not found|header not found|unknown block|\bblock\b.*\bnot found|missing trie node"
    r"|blockoutofrange|not currently canonical|state .*not available|historical state",
    re.IGNORECASE,
)
_LIMITED = (HTTPStatus.TOO_MANY_REQUESTS, -32_005, -32_029)


@dataclass(slots=True)
class _Health:
    endpoint: RpcEndpoint
    penalty_s: float = 0.0
    until: float = 0.0
    last_fault: str = ""
    checked_at: float | None = None  # when it last said which chain it serves
    holds: tuple[bytes, float] = (b"", 0.0)  # a block it was seen to have, and when


@dataclass(slots=True)
class _Failures:
    """What went wrong with the endpoints that were asked."""

    missing: RpcError | None = None
    fault: Exception | None = None
    declined: list[Declined] = field(default_factory=list)
    done: list[_Health] = field(default_factory=list)  # would say the same again

    def would_repeat(self, health: _Health) -> bool:
        return any(health is other for other in self.done)

    def take(self, health: _Health, error: BaseException) -> None:
        """Raises what no other endpoint can help with."""
        if isinstance(error, Declined):
            self.declined.append(error)
            self.done.append(health)
        elif isinstance(error, RpcError) and means_no_block(error):
            self.missing = error
        elif isinstance(error, (EndpointFault, WrongChainId)):
            self.fault = error
            if isinstance(error, UnreadableAnswer):
                self.done.append(health)
        else:
            raise error

    def what(self, url: str) -> ChainError:
        """The most telling one."""
        if self.declined:
            return max(self.declined, key=lambda error: (error.refusal, error.blocks))
        if self.missing is not None:
            return BlockGone(f"no endpoint holds the block asked for: {self.missing}")
        if isinstance(self.fault, (WrongChainId, UnreadableAnswer)):
            return self.fault
        return UnreachableChain(url, self.fault.reason if isinstance(self.fault, EndpointFault) else str(self.fault))


def means_no_block(error: RpcError) -> bool:
    """Whether the node said that it does not hold the block asked for."""
    return _NO_BLOCK.search(error.message) is not None


class EndpointPool:
    """Requests go to the first endpoint that is well; a faulty one rests, twice as
    long each time, up to a minute.

    `agreement` endpoints must name the same block before it counts as the head: by default half of them,
    rounded up, so that of two either may fail, and of three one may lie.
    """

    def __init__(
        self,
        endpoints: Sequence[RpcEndpoint],
        chain_id: int,
        *,
        agreement: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not endpoints:
            raise ValueError("at least one RPC endpoint is needed")
        self.chain_id = chain_id
        self.agreement = (len(endpoints) + 1) // 2 if agreement is None else agreement
        if not 1 <= self.agreement <= len(endpoints):
            raise ValueError(f"agreement of {agreement} endpoints, but {len(endpoints)} are configured")
        self._health = [_Health(endpoint) for endpoint in endpoints]
        self._now = monotonic

    def now(self) -> float:
        """Seconds on the pool's clock, which only ever goes on."""
        return self._now()

    @property
    def faults(self) -> dict[str, str]:
        """The last fault of each endpoint that rests, by its shown address."""
        now = self._now()
        return {shown_url(h.endpoint.url): h.last_fault for h in self._health if h.until > now}

    async def check(self) -> None:
        """Asks every endpoint for its chain. Raises WrongChainId for any that serves another,
        UnreachableChain where fewer answer than must agree."""
        outcomes = await asyncio.gather(*(self._guarded(h, _nothing) for h in self._health), return_exceptions=True)
        faults = [o for o in outcomes if isinstance(o, BaseException)]
        for fault in faults:
            if isinstance(fault, WrongChainId):
                raise fault
        if len(outcomes) - len(faults) < self.agreement:
            first = faults[0]
            reason = first.reason if isinstance(first, EndpointFault) else str(first)
            raise UnreachableChain(self._health[0].endpoint.url, reason) from None

    async def request(self, method: str, params: Any, read: Callable[[Any], T] = lambda answer: answer) -> T:
        """What `read` makes of the first answer that it takes: where it raises ValueError, the next endpoint is asked.

        Raises RpcError for what a node refused, BlockGone where none holds the block, UnreachableChain where none
        answered, UnreadableAnswer where none gave one that can be read, WrongChainId for an endpoint of another chain
        that is the only one.
        """

        async def ask(endpoint: RpcEndpoint) -> T:
            answer = await endpoint.request(method, params)
            try:
                return read(answer)
            except ValueError as error:
                raise UnreadableAnswer(endpoint.url, f"{method}: {str(error)[:300]}", answer) from None

        found: T = await self._first(ask, self._in_order())
        return found

    @property
    def endpoints(self) -> list[RpcEndpoint]:
        """In the configured order."""
        return [health.endpoint for health in self._health]

    async def with_block(
        self, block: Block, work: Callable[[RpcEndpoint], Awaitable[Any]], *, skip: Collection[RpcEndpoint] = ()
    ) -> Any:
        """Result of `work` on an endpoint, none of `skip`, that was seen to hold `block` within the last seconds. With
        others to skip it is a second opinion, for which none at rest is waited for. Raises as `request`; Declined, the
        most telling one, where `work` raised it for all of them."""
        order = [health for health in (self._well() if skip else self._in_order()) if health.endpoint not in skip]
        if not order:
            raise UnreachableChain(self._health[0].endpoint.url, "no other endpoint is configured")
        health_of = {id(health.endpoint): health for health in order}

        async def checked(endpoint: RpcEndpoint) -> Any:
            await self._hold(health_of[id(endpoint)], block)
            return await work(endpoint)

        return await self._first(checked, order)

    def distrust(self, endpoint: RpcEndpoint, reason: str) -> None:
        """Lets an endpoint rest for an answer that was none."""
        for health in self._health:
            if health.endpoint is endpoint:
                self._punish(health, reason)

    async def _hold(self, health: _Health, block: Block) -> None:
        seen, when = health.holds
        if seen == block.hash and self._now() - when <= _CHECKED_FOR_S:
            return
        endpoint = health.endpoint
        found = await endpoint.request("eth_getBlockByNumber", [hex(block.number), False])
        if found is None or _parsed(endpoint, found).hash != block.hash:
            raise RpcError("eth_getBlockByNumber", 0, f"block not found: {block.number} is another one here")
        health.holds = block.hash, self._now()

    async def broadcast(self, raw: bytes) -> list[str | None]:
        """Offers a signed transaction to every endpoint that is well. What each said: None where it took it, its words
        where it refused, nothing where it gave no answer and may have taken it all the same."""
        params = ["0x" + raw.hex()]
        order = self._well() or self._in_order()
        outcomes = await self._all(order, lambda e: e.request("eth_sendRawTransaction", params), 1)
        return [_answer(one) for one in outcomes]

    async def nobody_has(self, transaction: bytes) -> bool:
        """Whether every endpoint says that it holds no such transaction, waiting or mined; not
        where one of them does not answer."""
        params = ["0x" + transaction.hex()]
        outcomes = await asyncio.gather(
            *(self._guarded(h, lambda e: e.request("eth_getTransactionByHash", params)) for h in self._health),
            return_exceptions=True,
        )
        return all(one is None for one in outcomes)

    async def agreed_block(self, tag: str, depth: int = 0) -> Block:
        """The highest block that `agreement` endpoints have reached and agree on;
        `depth` blocks below `tag`.

        Raises EndpointsDisagree where no group of that size is larger than all others together,
        UnreachableChain where fewer answered.
        """
        well = self._well()
        if len(well) >= self.agreement:
            # One that hangs must not hold up every look at the head.
            try:
                return await self._agreed(well, tag, depth)
            except (UnreachableChain, NoFinality, EndpointsDisagree):
                if len(well) == len(self._health) == len(self._well()):
                    raise
        return await self._agreed(self._health, tag, depth)

    async def _agreed(self, asked: list[_Health], tag: str, depth: int) -> Block:
        answers = await self._all(asked, lambda e: self._head(e, tag), self.agreement)
        heads = [(h, a) for h, a in zip(asked, answers, strict=True) if isinstance(a, Block)]
        if len(heads) < self.agreement:
            faults = [a for a in answers if isinstance(a, BaseException)]
            for one in faults:
                if isinstance(one, (WrongChainId, NoFinality)):
                    raise one
            fault = faults[0] if faults else None
            raise UnreachableChain(
                self._health[0].endpoint.url,
                f"{len(heads)} of {len(self._health)} endpoints answered, {self.agreement} must agree ({fault})",
            )
        reached = sorted((block.number for _, block in heads), reverse=True)
        number = max(0, reached[self.agreement - 1] - depth)
        if len(heads) == 1 and depth == 0:
            return heads[0][1]
        return await self._majority([h for h, block in heads if block.number >= number], number)

    async def _majority(self, holders: list[_Health], number: int) -> Block:
        enough = max(self.agreement, len(holders) // 2 + 1)
        found = await self._all(holders, lambda e: self._head(e, hex(number)), enough)
        blocks = [block for block in found if isinstance(block, Block)]
        if not blocks:
            raise UnreachableChain(self._health[0].endpoint.url, f"no endpoint serves block {number}")
        votes = Counter(block.hash for block in blocks)
        winner, most = votes.most_common(1)[0]
        if most < self.agreement or 2 * most <= len(blocks):
            sides = ", ".join(f"0x{h.hex()[:12]}… ({n})" for h, n in votes.most_common())
            raise EndpointsDisagree(
                f"block {number}: endpoints name {sides}; nothing is decided until more of them agree: "
                "check which of them is wrong"
            )
        for health, block in zip(holders, found, strict=True):
            if isinstance(block, Block) and block.hash != winner:
                self._punish(health, f"block {number} is 0x{block.hash.hex()[:12]}…, the others have another")
        return next(block for block in blocks if block.hash == winner)

    async def _head(self, endpoint: RpcEndpoint, tag: str) -> Block:
        try:
            found = await endpoint.request("eth_getBlockByNumber", [tag, False])
        except RpcError as error:
            if tag == "finalized" and error.code not in _LIMITED:
                raise NoFinality(endpoint.url, error.message[:200]) from None
            raise
        if found is None and tag == "finalized":
            raise NoFinality(endpoint.url, "it has none")
        if found is None:
            raise EndpointFault(endpoint.url, f"has no block {tag!r}")
        return _parsed(endpoint, found)

    def _well(self) -> list[_Health]:
        now = self._now()
        return [h for h in self._health if h.until <= now]

    def _in_order(self) -> list[_Health]:
        """The well ones in the configured order, then those at rest, soonest well first."""
        well = self._well()
        resting = [h for h in self._health if h not in well]
        return well + sorted(resting, key=lambda h: h.until)

    async def _all(
        self, asked: Sequence[_Health], work: Callable[[RpcEndpoint], Awaitable[Any]], enough: int
    ) -> list[Any]:
        """What each says, or the exception. Once `enough` have answered, the others have a moment: one that is slow
        must not hold up what the rest agree on."""
        tasks = [asyncio.ensure_future(self._guarded(health, work)) for health in asked]
        ends: float | None = None
        try:
            while waiting := [task for task in tasks if not task.done()]:
                good = sum(task.done() and task.exception() is None for task in tasks)
                if good >= enough and ends is None:
                    ends = asyncio.get_running_loop().time() + _PATIENCE_S
                left = None if ends is None else ends - asyncio.get_running_loop().time()
                if left is not None and left <= 0:
                    break
                await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return [
                (task.exception() or task.result()) if task.done() else self._too_slow(health)
                for task, health in zip(tasks, asked, strict=True)
            ]
        finally:
            await _cancelled(tasks)

    def _too_slow(self, health: _Health) -> EndpointFault:
        fault = EndpointFault(health.endpoint.url, "no answer while the others gave theirs", timed_out=True)
        self._punish(health, str(fault))
        return fault

    async def _first(self, work: Callable[[RpcEndpoint], Awaitable[Any]], order: list[_Health]) -> Any:
        """The first good answer, asked for in this order. One that keeps us waiting is overtaken by the next."""
        failures = _Failures()
        # Twice round: a kept-alive connection that was cut says nothing of the node behind it.
        queue = deque(order * 2)
        running: dict[asyncio.Future[Any], _Health] = {}
        try:
            while True:
                while queue and failures.would_repeat(queue[0]):
                    queue.popleft()
                busy = list(running.values())
                fresh = [health for health in queue if not any(health is other for other in busy)]
                if not running:
                    if not queue:
                        break
                    health = queue.popleft()
                    running[asyncio.ensure_future(self._guarded(health, work))] = health
                    continue
                done, _ = await asyncio.wait(
                    running, timeout=_HEDGE_S if fresh else None, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    queue.remove(fresh[0])
                    running[asyncio.ensure_future(self._guarded(fresh[0], work))] = fresh[0]
                    continue
                for task in done:
                    if (error := task.exception()) is None:
                        self._overtaken(running, task)
                        return task.result()
                    health = running.pop(task)
                    failures.take(health, error)
                    if isinstance(error, EndpointFault) and error.timed_out and len(order) == 1:
                        queue.clear()
        finally:
            await _cancelled(running)
        raise failures.what(order[0].endpoint.url)

    def _overtaken(self, running: Mapping[asyncio.Future[Any], _Health], winner: asyncio.Future[Any]) -> None:
        """Those that were asked before the winner, and are at it still. One asked after it has had no time yet."""
        for task, health in running.items():
            if task is winner:
                return
            if not task.done():
                self._too_slow(health)

    async def _guarded(self, health: _Health, work: Callable[[RpcEndpoint], Awaitable[Any]]) -> Any:
        """`work` on one endpoint, after a check of its chain whenever it has been faulty, and now and then."""
        try:
            if health.checked_at is None or self._now() - health.checked_at > _CHECKED_FOR_S:
                await self._check_chain(health)
            result = await work(health.endpoint)
        except RpcError as error:
            if error.code in _LIMITED and error.method != "eth_getLogs":
                self._punish(health, error.message)
                raise EndpointFault(health.endpoint.url, error.message) from None
            raise
        except (EndpointFault, WrongChainId) as error:
            self._punish(health, str(error))
            raise
        health.penalty_s, health.until = 0.0, 0.0
        return result

    async def _check_chain(self, health: _Health) -> None:
        answer = await health.endpoint.request("eth_chainId", [])
        try:
            got = quantity(answer, "chain id")
        except ValueError as error:
            raise EndpointFault(health.endpoint.url, str(error)) from None
        if got != self.chain_id:
            raise WrongChainId(health.endpoint.url, got, self.chain_id)
        health.checked_at = self._now()

    def _punish(self, health: _Health, reason: str) -> None:
        if health.until <= self._now():
            health.penalty_s = min(_LONGEST_PENALTY_S, health.penalty_s * 2 or _FIRST_PENALTY_S)
            health.until = self._now() + health.penalty_s
        health.last_fault = reason
        health.holds = b"", 0.0
        # It may come back as a node of another chain.
        health.checked_at = None

    async def close(self) -> None:
        """Lets all connections go."""
        await asyncio.gather(*(h.endpoint.close() for h in self._health))


async def _cancelled(tasks: Collection[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _answer(outcome: Any) -> str | None:
    if not isinstance(outcome, BaseException):
        return None
    return outcome.message or "refused" if isinstance(outcome, RpcError) else ""


async def _nothing(endpoint: RpcEndpoint) -> None:
    """What is asked of an endpoint whose chain alone matters."""


def _parsed(endpoint: RpcEndpoint, data: Any) -> Block:
    try:
        return parse_block(data)
    except ValueError as error:
        raise EndpointFault(endpoint.url, f"malformed block: {error}") from None
