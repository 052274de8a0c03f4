"""How much each asker may have: a bucket of tokens, refilled by the second."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

IPV6_HOST_BITS = 64
MOST_ASKERS = 20_000


class RequestBuckets:
    """`per_second` on average and `burst` at once for each key. `now` gives seconds of a steady clock."""

    def __init__(self, per_second: float, burst: float, now: Callable[[], float]) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, cost: float = 1.0) -> float:
        """0 where the key may have `cost` more now, and has it; else the seconds to wait."""
        now = self._now()
        left, then = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._per_second)
        allowed = left >= cost
        self._buckets[key] = (left - cost if allowed else left, now)
        # The longest unheard of are forgotten first; one forgotten has a full bucket again.
        while len(self._buckets) > MOST_ASKERS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (cost - left) / self._per_second


def asker(address: str | None) -> str:
    """Who is behind an address, as far as limits go: an IPv4 address, or an IPv6 network of 64 bits, which is what the
    smallest customer has."""
    if not address:
        return "unknown"
    try:
        found = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    network = int(found) >> IPV6_HOST_BITS << IPV6_HOST_BITS
    return f"{ipaddress.IPv6Address(network)}/{IPV6_HOST_BITS}"
