"""Where the ingress calls a pod: an address of this host's loopback for each endpoint, drawn afresh and never twice, at
a port that nothing listens on. The kernel leads it on to the pod as long as the lease runs."""

from __future__ import annotations

import ipaddress

FRONTS = ipaddress.IPv4Network("127.64.0.0/10")
FRONT_PORT = 1


def front_of(number: int) -> str:
    """One of these addresses, for a number drawn at random."""
    return str(FRONTS[1 + number % (FRONTS.num_addresses - 2)])
