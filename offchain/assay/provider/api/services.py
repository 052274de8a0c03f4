"""What the routes work with; made once a process and handed to `create_app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.leases import Lease
from assay.protocol.signing import Domain
from assay.provider.announced_origins import AnnouncedOrigins
from assay.provider.challenge_desk import ChallengeDesk
from assay.provider.device import Device
from assay.provider.handover_desk import HandoverDesk
from assay.provider.jobs import JobBook
from assay.provider.lease_offers import LeaseOffers
from assay.provider.lease_starts import LeaseStarts
from assay.provider.logins import Logins
from assay.provider.notebooks import Notebooks
from assay.provider.openings_desk import OpeningsDesk
from assay.provider.probe_desk import ProbeDesk
from assay.provider.request_signatures import RequestGuard
from assay.provider.reverse_proxy import ReverseProxy
from assay.provider.ssh.authorised_keys import AuthorisedKeys
from assay.provider.views import Epochs, Leases
from assay.provider.wipe_records import WipeRecords


@dataclass(frozen=True)
class Services:
    """`offers` is the public offers with their specifications as JSON, `quote` makes one for (devices, renter,
    seconds); `grace` is for how many seconds files can be fetched after a lease; `started` notes a lease that this
    provider has started.
    """

    devices: Mapping[bytes, Device]
    epochs: Epochs
    leases: Leases
    challenges: ChallengeDesk
    openings: OpeningsDesk
    handovers: HandoverDesk
    probes: ProbeDesk
    lease_offers: LeaseOffers
    starts: LeaseStarts
    jobs: JobBook
    notebooks: Notebooks
    wipes: WipeRecords
    grace: float
    proxy: ReverseProxy
    guard: RequestGuard
    logins: Logins
    origins: AnnouncedOrigins
    ssh_keys: AuthorisedKeys
    offers: Callable[[], Awaitable[dict[str, Any]]]
    quote: Callable[[tuple[bytes, ...], str, int], Awaitable[dict[str, Any]]]
    started: Callable[[Lease], None]
    oracle_domain: Domain
    clock: Callable[[], float]
    ready: Callable[[], bool]
    status: Callable[[], Mapping[str, Any]]
