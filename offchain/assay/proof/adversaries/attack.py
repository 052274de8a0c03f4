"""One attack played many times, and how sure its rate of detection is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Trial = Callable[[int], bool]  # seed -> whether the verifier caught it
_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Attack:
    """A way to cheat.

    Attributes:
        name: on the command line.
        what: in a sentence.
        theory: probability of being caught, where there is a formula; None where it is a matter of format.
        play: one trial against the real verifier.
        honest: whether being caught is the failure: an honest device, or a control that must pass.
    """

    name: str
    what: str
    play: Trial
    theory: float | None = 1.0
    honest: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of so many trials were caught."""

    caught: int
    trials: int

    @property
    def share(self) -> float:
        return self.caught / self.trials

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the true share."""
        n, p = self.trials, self.share
        middle = (p + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
        # At the ends the formula gives 0 and 1 but for rounding.
        return 0.0 if self.caught == 0 else middle - half, 1.0 if self.caught == n else middle + half


def play(attack: Attack, trials: int, first_seed: int = 0) -> Rate:
    """Plays an attack with so many seeds."""
    if trials < 1:
        raise ValueError(f"{trials} trials: at least one is needed")
    return Rate(sum(attack.play(first_seed + n) for n in range(trials)), trials)
