"""What providers and whoever calls them are held to at a relay."""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.network.pipe import PipeLimits


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Of one link, but for `bytes_per_s`, which all links of one account share. Times in seconds.

    `waiting` streams may be without their provider's answer, `waiting_each` of one address. `first_s` is how long a
    caller may be silent at first, and a connection of a provider without its first line; `dial_s` how long a provider
    may take to accept a stream; `send_s` to take a line of its link. `tries_per_s` and `tries_burst` are requests for
    links and tokens that do not hold, of one address and of one device.
    """

    streams: int = 256
    streams_each: int = 32
    dials_per_s: float = 50.0
    dials_burst: float = 200.0
    bytes_per_s: float = 12_500_000.0
    waiting: int = 64
    waiting_each: int = 16
    first_s: float = 10.0
    dial_s: float = 10.0
    send_s: float = 10.0
    ping_s: int = 20
    lines_per_s: float = 5.0
    lines_burst: float = 50.0
    tries_per_s: float = 0.5
    tries_burst: float = 20.0
    pipe: PipeLimits = field(default_factory=lambda: PipeLimits(idle_s=900.0, stall_s=60.0))

    @property
    def burst_bytes(self) -> float:
        """What an account may send at once: a second's worth."""
        return self.bytes_per_s
