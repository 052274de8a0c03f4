"""What the registry announces as an endpoint: an origin (scheme, host, port) and nothing else.

Anyone may announce any text. A path or a query in it would let them choose what our requests say to a third party, so
there is no room for one.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from assay.network.errors import BadOrigin

MAX_TEXT = 256
MAX_NAME = 253
PORTS = {"http": 80, "https": 443}
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
_FORM = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE)
_URL = re.compile(r"(https?://)(?:[!-.0-~]*@)?([^/?#@]*)(?:[/?#][!-~]*)?", re.ASCII | re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
EXPECTED = "expected http://host[:port] or https://host[:port]"


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Scheme, host and port. `host` is in lower case, an IPv6 address without brackets; `port` is always filled in."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """Its one spelling, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def names_loopback(self) -> bool:
        """Whether the host is this machine by its name."""
        return self.host in LOOPBACK_NAMES

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an account says it is reached, and H of the certificate it shows there; zeros where it announces none.

    The pair travels with each request: what one account announces never changes how another is reached. `own` is one
    that whoever runs us named: it may be inside our network.
    """

    url: str
    tls_fingerprint: bytes = bytes(32)
    own: bool = False

    def __str__(self) -> str:
        return self.url.rstrip("/")


def origin_of_url(url: str) -> Origin:
    """The origin of an address that whoever runs us named: an RPC endpoint's may have a user, a path and a query.
    Raises BadOrigin and nothing else."""
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        raise BadOrigin(url, EXPECTED)
    return parse_origin(match[1] + match[2])


def parse_origin(text: str) -> Origin:
    """The origin in a text, whatever the text. Raises BadOrigin and nothing else."""
    if not isinstance(text, str):
        raise BadOrigin(text, EXPECTED)
    if len(text) > MAX_TEXT:
        raise BadOrigin(text, f"at most {MAX_TEXT} letters")
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadOrigin(text, f"{EXPECTED}, without user, path or query")
    scheme, host = match[1].lower(), match[2].lower()
    port = PORTS[scheme] if match[3] is None else int(match[3])
    if not 0 < port < 65_536:
        raise BadOrigin(text, "a port is between 1 and 65535")
    return Origin(scheme, _host(text, host), port)


def _host(text: str, host: str) -> str:
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise BadOrigin(text, "the brackets hold no IPv6 address") from None
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers take 127.1 and 0x7f000001 for addresses: only the form that everyone reads alike is taken.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise BadOrigin(text, "an IPv4 address has four decimal parts") from None
    if len(host) > MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadOrigin(text, "that is not a host name")
    return host
