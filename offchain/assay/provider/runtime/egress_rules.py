"""What a workload may reach beyond its own loopback: nothing, the public internet, or a list of hosts."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.network.addresses import is_public as is_of_the_internet
from assay.network.addresses import led_to
from assay.provider.errors import ProviderError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NONE, INTERNET = "none", "internet"
WEB_PORTS = frozenset({80, 443})
MAIL_PORT = 25  # a machine that is leased by the hour must not become a source of spam
_PATTERN = re.compile(r"(?P<host>[a-z0-9*.\-]{1,253})(:(?P<port>[0-9]{1,5}))?")
# Prefixes that carry an IPv4 address: behind them private ones would look public.


@dataclass(frozen=True)
class EgressRules:
    """`open` lets everything public through, `hosts` are patterns with a port (None for those of the web)."""

    open: bool = False
    hosts: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def parse(cls, setting: Sequence[str]) -> EgressRules:
        """From `none`, `internet` or patterns such as data.example.org, *.example.net or
        git.example.org:22. Raises ProviderError.
        """
        if list(setting) in ([], [NONE]):
            return cls()
        if list(setting) == [INTERNET]:
            return cls(open=True)
        hosts = []
        for text in setting:
            match = _PATTERN.fullmatch(text.lower())
            if match is None or text in (NONE, INTERNET) or int(match["port"] or 1) >= 1 << 16:
                raise ProviderError(f"egress {text[:80]!r}: none, internet, or hosts such as *.example.org:443")
            hosts.append((match["host"], int(match["port"]) if match["port"] else None))
        return cls(hosts=tuple(hosts))

    @property
    def closed(self) -> bool:
        """Whether nothing at all may be reached."""
        return not self.open and not self.hosts

    def names(self) -> list[str]:
        """As `parse` takes them."""
        if self.open:
            return [INTERNET]
        return [host if port is None else f"{host}:{port}" for host, port in self.hosts] or [NONE]

    def allow(self, host: str, port: int) -> bool:
        """Whether a host may be asked for at all, before its name is resolved."""
        if self.open:
            return port != MAIL_PORT
        name = host.lower().rstrip(".")
        return any(
            fnmatch.fnmatchcase(name, pattern) and (port == wanted if wanted else port in WEB_PORTS)
            for pattern, wanted in self.hosts
        )


def is_public(address: Address, is_ours: Callable[[Address], bool]) -> bool:
    """Whether an address is one of the internet: not private, link-local (metadata), multicast, reserved, nor one of
    this machine's own, in whatever form it is written.
    """
    return is_of_the_internet(str(address)) and not is_ours(address) and not is_ours(led_to(address))
