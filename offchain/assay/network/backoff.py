"""How long to wait before asking again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow: `first_s` after the first failure, then `factor` times the last, `longest_s` at most; the
    first `free` failures cost nothing.
    """

    first_s: float
    factor: float
    longest_s: float
    free: int = 0

    def after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        counted = failures - self.free
        if counted <= 0:
            return 0.0
        pause = self.first_s
        for _ in range(counted - 1):
            if pause >= self.longest_s:
                break
            pause *= self.factor
        return min(self.longest_s, pause)


class Failures:
    """Failures in a row of each destination, and when it may be asked again. `now` is a steady clock."""

    def __init__(self, backoff: Backoff, now: Callable[[], float]) -> None:
        self._backoff, self._now = backoff, now
        self._known: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def wait(self, destination: Hashable) -> float:
        """Seconds until the destination may be asked."""
        _, due = self._known.get(destination, (0, 0.0))
        return max(0.0, due - self._now())

    def failed(self, destination: Hashable) -> None:
        failures = self._known.pop(destination, (0, 0.0))[0] + 1
        self._known[destination] = (failures, self._now() + self._backoff.after(failures))
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def answered(self, destination: Hashable) -> None:
        self._known.pop(destination, None)
