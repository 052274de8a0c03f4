"""How often a peer may ask: a bucket of tokens for each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_PEERS = 4_096


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """`per_second` requests on average, `burst` at once, for each key. `now` gives seconds of a steady
    clock.
    """

    def __init__(self, per_second: float, burst: float, now: Callable[[], float]) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, cost: float = 1.0) -> bool:
        """Whether the key may have `cost` more now."""
        now = self._now()
        bucket = self._buckets.pop(key, None) or _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[key] = bucket
        # The longest unheard of are forgotten first; a forgotten peer has a full bucket again.
        while len(self._buckets) > MOST_PEERS:
            self._buckets.popitem(last=False)
        if bucket.tokens < cost:
            return False
        bucket.tokens -= cost
        return True
