"""The market's pages of a local network: what they must show, and where."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from assay.devnet.network import Network
from assay.wire import market_paths, paths

MAX_BYTES = 4 << 20
REQUEST_SECONDS = 10


@dataclass(frozen=True)
class MarketPages:
    """Addresses of the pages that show what a demo did."""

    market: str
    device: str
    slash: str
    lease: str


def shown(network: Network, slash_tx: str, device_id: str, lease_id: int) -> MarketPages | None:
    """The pages, once the market has indexed the slash and the lease's claim; None before."""
    url = network.endpoints["market"]
    slashes, lease = _data(url + market_paths.SLASHES), _data(url + paths.lease(lease_id))
    if lease is None or not int(lease["claimed"]) or slash_tx not in {fault["transaction"] for fault in slashes or ()}:
        return None
    return MarketPages(
        f"{url}/", f"{url}/devices/{device_id}", f"{url}/transactions/{slash_tx}", f"{url}/leases/{lease_id}"
    )


def _data(url: str) -> Any:
    """What the API answers under this address; None where it does not answer, or has nothing yet."""
    try:
        with urllib.request.urlopen(url, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read(MAX_BYTES))["data"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
