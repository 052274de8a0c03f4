"""Power cuts at every step that a validator takes towards its disk, its key or the chain, as the code itself names
them: before and after each call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

STORE = (
    "put_content", "nonce", "put_commitment", "put_message", "put_verdict", "update_epoch", "put_tree", "put_check_in",
)  # fmt: skip
STATEMENTS = ("sign_seal", "sign_observations", "sign_report")
WRITER = ("open_epoch", "seal", "draw", "report", "add_signature", "void", "check_in")


@dataclass
class Tripwire:
    """Counts steps; at number `at` it calls `cut` once, and from then on lets nothing of this process pass."""

    at: int | None
    cut: Callable[[], None]
    steps: list[str] = field(default_factory=list)
    dead: bool = False

    def step(self, name: str) -> None:
        if self.dead:
            raise asyncio.CancelledError
        if self.at is not None and len(self.steps) == self.at:
            self.dead = True
            self.cut()
            raise asyncio.CancelledError
        self.steps.append(name)

    def around(self, target: Any, names: tuple[str, ...]) -> Any:
        """`target` with a step before and after each of its methods named."""
        return _Watched(self, target, names)


class _Watched:
    def __init__(self, wire: Tripwire, target: Any, names: tuple[str, ...]) -> None:
        self._wire, self._target, self._names = wire, target, names

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name not in self._names:
            return method
        if inspect.iscoroutinefunction(method):

            async def watched_later(*args: Any, **kwargs: Any) -> Any:
                self._wire.step(f"before {name}")
                result = await method(*args, **kwargs)
                self._wire.step(f"after {name}")
                return result

            return watched_later

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._wire.step(f"before {name}")
            result = method(*args, **kwargs)
            self._wire.step(f"after {name}")
            return result

        return watched
