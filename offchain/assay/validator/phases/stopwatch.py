"""How long a device took, as this seat saw it."""

from __future__ import annotations

from assay.validator.ports import Clock


class Stopwatch:
    """Runs from the last `start`; from its making where there was none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.start()

    def start(self) -> None:
        """From now on: connecting, and waiting for others to connect, is no time of the device's."""
        self._started = self._clock.elapsed_us()

    def elapsed_us(self) -> int:
        """Microseconds, at least 1."""
        return max(1, self._clock.elapsed_us() - self._started)
