"""What renting tells while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class StepName(StrEnum):
    """The steps of renting, in order."""

    deposit = "deposit"  # the lease is open, its deposit in the escrow
    image = "image"  # the image that its pod starts from is at the provider
    proof = "proof"  # the device has proven itself
    verified = "verified"  # the proof was checked on this machine
    start = "start"  # the provider's transaction is mined
    final = "final"  # the start is final: jobs and shells are taken


@dataclass(frozen=True)
class Step:
    """A step that is done; `seconds` is what it took."""

    name: StepName
    text: str
    seconds: float


def untold(step: Step) -> None:
    """For those who do not want to be told."""


def unheard(text: str) -> None:
    """For those who do not want to hear how far something is."""


@dataclass
class Steps:
    """Times steps and hands each on when it is done. `clock` gives seconds, only differences count."""

    on_step: Callable[[Step], None] = untold
    clock: Callable[[], float] = time.monotonic
    done: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last = self.clock()

    def take(self, name: StepName, text: str) -> None:
        """The step that went on since the last one is done."""
        now = self.clock()
        step = Step(name, text, now - self._last)
        self._last = now
        self.done.append(step)
        self.on_step(step)
