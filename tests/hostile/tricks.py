"""Tricks by name, and the fuzzer that draws them: what an actor does follows from the seed and its name alone, so that
a run is done again by its seed."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")  # what a trick is played on
Trick = Callable[[T, random.Random], Awaitable[None]]
PLAY_S = 12.0  # one trick, however it fares
# What an attacker meets where its victim defends itself: refusals, closed connections, time-outs.
MET = (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


def drawn_from(seed: int, *names: object) -> random.Random:
    """A stream of its own for each actor: what one meets changes nothing that another draws."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return random.Random(digest)


@dataclass
class Played:
    """What an actor has done: how often each trick, and what went wrong in the tricks themselves."""

    actor: str
    tricks: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        done = ", ".join(f"{name} {times}" for name, times in sorted(self.tricks.items()))
        return f"{self.actor}: {done or 'nothing'}"


@dataclass
class Actor(Generic[T]):
    """Plays tricks of a table on what `target` draws, with `pause` seconds at most between them."""

    name: str
    table: Mapping[str, Trick[T]]
    target: Callable[[random.Random], T]
    seed: int
    pause: float = 0.3
    played: Played = field(init=False)

    def __post_init__(self) -> None:
        self.played = Played(self.name)

    async def every_trick(self) -> None:
        """Each of the table once, all at once."""
        await asyncio.gather(*(self._play(name, drawn_from(self.seed, self.name, name)) for name in self.table))

    async def until(self, ends: float) -> None:
        """Tricks as they are drawn, until `ends` of the monotonic clock."""
        number = 0
        draws = drawn_from(self.seed, self.name)
        while time.monotonic() < ends:
            name = draws.choice(list(self.table))
            await self._play(name, drawn_from(self.seed, self.name, number, name))
            await asyncio.sleep(draws.random() * self.pause)
            number += 1

    async def _play(self, name: str, draws: random.Random) -> None:
        try:
            async with asyncio.timeout(PLAY_S):
                await self.table[name](self.target(draws), draws)
        except MET:
            pass
        except Exception as error:
            self.played.faults.append(f"{name}: {error!r}")
        self.played.tricks[name] += 1
