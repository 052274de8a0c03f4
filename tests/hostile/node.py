"""A hostile RPC node: everything of the faulty proxy, and what nodes and their operators do besides."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from tests.hostile.tricks import Played, drawn_from
from tests.integration.chain.fault_proxy import FaultProxy

Request, Content = dict[str, Any], bytes
LIMITS = (
    {"code": -32005, "message": "query returned more than 10000 results"},
    {"code": -32008, "message": "maximum [from, to] blocks distance: 10"},
    {"code": -32602, "message": "block range is too large", "data": {"from": "0x0", "to": "0x5"}},
    {"code": -32000, "message": "missing trie node: state is pruned"},
    {"code": -32603, "message": "caf\u00e9 \x1b[2J"},
)


def logs_refused(request: Request, content: Content, draws: random.Random) -> Content:
    if request["method"] != "eth_getLogs":
        return content
    return _answer(request, error=draws.choice(LIMITS))


def logs_left_out(request: Request, content: Content, draws: random.Random) -> Content:
    return _logs(request, content, lambda logs: [log for log in logs if draws.random() < 0.5])


def logs_twice(request: Request, content: Content, draws: random.Random) -> Content:
    return _logs(request, content, lambda logs: logs + logs)


def logs_of_others(request: Request, content: Content, draws: random.Random) -> Content:
    def changed(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        field = draws.choice(["address", "blockNumber", "topics", "data", "logIndex", "transactionHash"])
        odd = {
            "address": "0x" + "11" * 20,
            "blockNumber": "0xffffffffffff",
            "topics": [],
            "data": "0xff",
            "logIndex": None,
        }
        return [{**log, field: odd.get(field, "0x")} for log in logs]

    return _logs(request, content, changed)


def text_not_utf8(request: Request, content: Content, draws: random.Random) -> Content:
    """The text of an event, as an older contract or a liar would have it."""

    def changed(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**log, "data": log["data"][:-64] + "ff" * 32} if len(log["data"]) > 200 else log for log in logs]

    return _logs(request, content, changed)


def deep_json(request: Request, content: Content, draws: random.Random) -> Content:
    return draws.choice([b"[" * 200_000, b'{"result":' * 50_000, b"9" * 300_000, b'{"result": "\\ud800"}', b"NaN"])


def long_answer(request: Request, content: Content, draws: random.Random) -> Content:
    return _answer(request, result="0x" + "0" * (8 << 20))


def odd_values(request: Request, content: Content, draws: random.Random) -> Content:
    return _answer(
        request, result=draws.choice([None, "", "0x", "0xzz", [], {}, -1, "0x" + "f" * 100, True, {"number": None}])
    )


def another_id(request: Request, content: Content, draws: random.Random) -> Content:
    return json.dumps({**json.loads(content), "id": draws.choice([None, 10**30, "x"])}).encode()


CHANGES: dict[str, Callable[[Request, Content, random.Random], Content]] = {
    one.__name__: one
    for one in (
        logs_refused,
        logs_left_out,
        logs_twice,
        logs_of_others,
        text_not_utf8,
        deep_json,
        long_answer,
        odd_values,
        another_id,
    )
}
FAULTS = (
    "latency",
    "cut-before",
    "cut-after",
    "garbage",
    "stale",
    "behind",
    "wrong-chain",
    "taken-with-an-error",
    "gone",
)
TRICKS = (*CHANGES, *FAULTS)


def _answer(request: Request, **fields: Any) -> Content:
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], **fields}).encode()


def _logs(
    request: Request, content: Content, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> Content:
    if request["method"] != "eth_getLogs":
        return content
    logs = json.loads(content).get("result")
    return content if not isinstance(logs, list) else _answer(request, result=change(logs))


class HostileNode(FaultProxy):  # type: ignore[misc]
    """In front of a real node. One trick at a time, changed by `turns`; half of the requests meet it."""

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(target, seed=seed)
        self.change: str | None = None
        self.played = Played("node")
        self._turning = drawn_from(seed, "node")

    def play(self, trick: str | None) -> None:
        """From now on this trick, None for an honest node."""
        self.change = trick if trick in CHANGES else None
        self.mode = {trick} if trick in FAULTS else set()
        if trick is not None:
            self.played.tricks[trick] += 1

    async def turns(self) -> None:
        """Tricks as they are drawn, with honest moments in between, until cancelled."""
        while True:
            self.play(self._turning.choice(TRICKS))
            await asyncio.sleep(self._turning.uniform(1, 6))
            self.play(None)
            await asyncio.sleep(self._turning.uniform(0, 3))

    async def _forward(self, body: bytes) -> bytes:
        requests = json.loads(body)
        if isinstance(requests, list):  # a batch
            answers = [json.loads(await self._forward(json.dumps(one).encode())) for one in requests]
            return json.dumps(answers).encode()
        content: bytes = await super()._forward(body)
        if self.change is not None and self._random.random() < self.rate:
            self.hits += 1
            return CHANGES[self.change](requests, content, self._random)
        return content
