"""Which addresses strangers may send us to, and the names behind them.

On a public chain an endpoint that leads into our own network (private, loopback, link-local and with
it the cloud's metadata, multicast, whatever form it takes) would make us a stranger's hand inside it.
On a local chain everything is inside.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from assay.network.errors import RefusedAddress, RequestFailed

LOCAL_CHAINS = frozenset({31337, 1337})
LOOKUP_CONCURRENCY = 32
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_MEANS_IPV4 = (_NAT64, _IPV4_COMPATIBLE)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def private_allowed(chain_id: int, setting: bool | None = None) -> bool:
    """Whether endpoints may be in private networks: what the operator says, else on local chains only."""
    return chain_id in LOCAL_CHAINS if setting is None else setting


def is_public(address: str) -> bool:
    """Whether an address in text form is one of the public internet; False for what is none."""
    try:
        found = led_to(ipaddress.ip_address(address.split("%", 1)[0]))
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found not in _GLOBAL_UNICAST:
        return False
    return found.is_global and not found.is_multicast


def led_to(address: Address) -> Address:
    """Where an address leads: an IPv6 address may stand for one of IPv4."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _MEANS_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


@cache
def _lookups() -> ThreadPoolExecutor:
    # Of its own: names whose servers never answer must not take the threads that proofs are verified in.
    return ThreadPoolExecutor(LOOKUP_CONCURRENCY, thread_name_prefix="lookup")


async def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises OSError, UnicodeError."""

    def look_up() -> list[str]:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    return list(dict.fromkeys(await asyncio.get_running_loop().run_in_executor(_lookups(), look_up)))


class Addresses:
    """Resolves hosts under the rule. Whoever connects does so to what this returns, and asks nobody again: the name
    server could answer otherwise the second time.
    """

    def __init__(self, allow_private: bool, resolve: Resolve = system_resolve) -> None:
        self.allow_private = allow_private
        self._resolve = resolve

    async def of(self, host: str, port: int) -> list[str]:
        """The addresses of a host, at least one, all of them allowed. Raises RefusedAddress, RequestFailed."""
        try:
            found = [str(ipaddress.ip_address(host))]
        except ValueError:
            try:
                found = list(await self._resolve(host, port))
            except (OSError, UnicodeError):
                found = []
        if not found:
            raise RequestFailed(f"{host}: the name does not resolve")
        for address in found:
            if not self.allow_private and not is_public(address):
                raise RefusedAddress(host, address)
        return found
