"""Views asked for at the same moment, in one `eth_call`: a piece of code that is run and never deployed asks them all.

Public endpoints count calls, and each takes a round trip. No contract is needed on the chain for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assay.chain.errors import ChainError, RpcError
from assay.chain.rpc.pool import EndpointPool
from assay.protocol.hexadecimal import HexadecimalError, address_bytes, parse_hex, to_hex

MAX_CODE = 40_000  # bytes of the code: nodes take 49,152
MAX_ANSWER = 20_000  # bytes of all answers: what code returns when it is made may have 24,576
_TURNS = 4  # of the event loop, for callers that are not yet where they ask
_PER_CALL = 64  # bytes of code for each call, at most


@dataclass(frozen=True, slots=True)
class View:
    """A call without a sender. `size` is about what it returns, in bytes; `check` raises ValueError for an answer that
    it cannot have."""

    to: str
    data: bytes
    size: int
    check: Callable[[Any], object] = parse_hex


class CallBatch:
    """Gathers views at one block for as long as callers ask in the same turns of the event loop."""

    def __init__(self, pool: EndpointPool) -> None:
        self._pool = pool
        self._waiting: dict[str, tuple[Any, list[tuple[View, asyncio.Future[str]]]]] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._works = True

    async def call(self, view: View, where: Any) -> str:
        """What the node answers, as 0x-hex. Raises as `EndpointPool.request`."""
        if not self._works:
            return await single(self._pool, view, where)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        key = str(where)
        if key in self._waiting:
            self._waiting[key][1].append((view, future))
            return await future
        self._waiting[key] = (where, [(view, future)])
        # A task of its own: whoever asked first may be cancelled while others wait.
        task = asyncio.ensure_future(self._answer(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await future

    async def _answer(self, key: str) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        where, waiting = self._waiting.pop(key)
        try:
            for part in _parts(waiting):
                answers = await self._together(where, [view for view, _ in part]) if len(part) > 1 else [None]
                found = zip(part, answers, strict=True)
                # What failed is asked again by itself, for the node's own words.
                await asyncio.gather(*(self._settle(view, future, where, answer) for (view, future), answer in found))
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)

    async def _settle(self, view: View, future: asyncio.Future[str], where: Any, answer: bytes | None) -> None:
        try:
            given = to_hex(answer) if answer is not None else await single(self._pool, view, where)
        except ChainError as error:
            if not future.done():
                future.set_exception(error)
            return
        if not future.done():
            future.set_result(given)

    async def _together(self, where: Any, views: Sequence[View]) -> Sequence[bytes | None]:
        try:
            answer: Any = await self._pool.request("eth_call", [{"data": to_hex(code_of(views))}, where])
            return answers_in(parse_hex(answer, max_bytes=2 * MAX_ANSWER), len(views))
        except (RpcError, HexadecimalError, ValueError):
            self._works = False  # a node that does not run code so; or one answer was too large for it
            return [None] * len(views)


async def single(pool: EndpointPool, view: View, where: Any) -> str:
    """One view by itself; where an endpoint gives an answer that it cannot have, the next is asked."""

    def read(answer: Any) -> str:
        view.check(answer)
        return str(answer)

    return await pool.request("eth_call", [{"to": view.to, "data": to_hex(view.data)}, where], read)


def _parts(
    waiting: list[tuple[View, asyncio.Future[str]]],
) -> list[list[tuple[View, asyncio.Future[str]]]]:
    """Batches that fit."""
    parts: list[list[tuple[View, asyncio.Future[str]]]] = [[]]
    code = answer = 0
    for one in waiting:
        needed, given = len(one[0].data) + _PER_CALL, one[0].size + 64
        if parts[-1] and (code + needed > MAX_CODE or answer + given > MAX_ANSWER):
            parts.append([])
            code = answer = 0
        parts[-1].append(one)
        code, answer = code + needed, answer + given
    return parts


def code_of(views: Sequence[View]) -> bytes:
    """Code that returns, behind a word of zeros, for each view a word whether it succeeded, a word with the length of
    what it returned, and that."""

    def assembled(offsets: Sequence[int]) -> bytes:
        code = bytes.fromhex("6020")  # where the next answer goes, all the way on the stack
        for view, offset in zip(views, offsets, strict=True):
            size, at = len(view.data).to_bytes(3, "big"), offset.to_bytes(3, "big")
            code += b"\x62" + size + b"\x62" + at + bytes.fromhex("8239")  # CODECOPY of the calldata to there
            code += bytes.fromhex("60006000") + b"\x62" + size + b"\x83" + b"\x73" + address_bytes(view.to)
            code += bytes.fromhex("5afa")  # GAS STATICCALL
            code += bytes.fromhex("8152")  # MSTORE of whether it succeeded
            code += bytes.fromhex("3d8160200152")  # MSTORE of RETURNDATASIZE behind it
            code += bytes.fromhex("3d6000826040013e")  # RETURNDATACOPY behind that
            code += bytes.fromhex("6040013d01")  # on by 64 and RETURNDATASIZE
        return code + bytes.fromhex("6000f3")

    head = len(assembled([0] * len(views)))
    offsets = [head + sum(len(view.data) for view in views[:i]) for i in range(len(views))]
    return assembled(offsets) + b"".join(view.data for view in views)


def answers_in(data: bytes, count: int) -> list[bytes | None]:
    """What `count` views returned; None for one that failed. Raises ValueError for data of another shape."""
    answers: list[bytes | None] = []
    at = 32
    for _ in range(count):
        if at + 64 > len(data):
            raise ValueError(f"{len(data)} bytes are not an answer to {count} calls")
        succeeded, size = int.from_bytes(data[at : at + 32], "big"), int.from_bytes(data[at + 32 : at + 64], "big")
        if succeeded > 1 or at + 64 + size > len(data):
            raise ValueError("an answer ends too early")
        # A call of an account without code succeeds and says nothing; by itself it says so.
        answers.append(data[at + 64 : at + 64 + size] if succeeded and size else None)
        at += 64 + size
    if at != len(data):
        raise ValueError("there is more than was asked for")
    return answers


def code_sizes(addresses: Sequence[str]) -> bytes:
    """Code that returns, behind a word of zeros, a word with the size of each account's code."""
    code = b""
    for i, address in enumerate(addresses):
        code += b"\x73" + address_bytes(address) + b"\x3b" + b"\x61" + (32 * (i + 1)).to_bytes(2, "big") + b"\x52"
    return code + b"\x61" + (32 * (len(addresses) + 1)).to_bytes(2, "big") + bytes.fromhex("6000f3")
