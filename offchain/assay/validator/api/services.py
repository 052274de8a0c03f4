"""What the routes work with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.network.request_buckets import RequestBuckets
from assay.validator.devices.reachability import Reachability
from assay.validator.peers.inbox import Inbox
from assay.validator.peers.publication import Publication
from assay.validator.storage.store import Store


@dataclass(frozen=True)
class ApiServices:
    """`limit` counts requests and `downloads` bytes, both by address. `unready` names the reasons why this validator
    cannot take part now; `metrics` gives Prometheus text.
    """

    inbox: Inbox
    publication: Publication
    store: Store
    limit: RequestBuckets
    status: Callable[[], Mapping[str, Any]]
    unready: Callable[[], list[str]]
    metrics: Callable[[], bytes]
    reachability: Reachability
    downloads: RequestBuckets = field(default_factory=lambda: RequestBuckets(1e18, 1e18, time.monotonic))
