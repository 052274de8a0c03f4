"""What the routes work with; made once a process and handed to `create_app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.leases import Lease
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.provider.access.announced_origins import AnnouncedOrigins
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.logins import Logins
from assay.provider.access.notebooks import Notebooks
from assay.provider.access.request_signatures import RequestGuard
from assay.provider.access.reverse_proxy import ReverseProxy
from assay.provider.backups.lease_backups import LeaseBackups
from assay.provider.cards.host import HostCards
from assay.provider.clusters.clusters import Clusters
from assay.provider.devices.device import OwnDevice
from assay.provider.endpoints.endpoints import Endpoints
from assay.provider.images.lease_images import LeaseImages
from assay.provider.images.pod_control import PodControl
from assay.provider.leasing.handover_service import HandoverService
from assay.provider.leasing.lease_starts import LeaseStarts
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.openings_service import OpeningsService
from assay.provider.measurement.probe_service import ProbeService
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.views import Epochs, Leases
from assay.provider.watch.use import LeaseUse
from assay.provider.workloads.jobs import JobBook


@dataclass(frozen=True)
class Services:
    """`offers` is the public offers with their specifications as JSON, `quote` makes one for (devices, renter,
    seconds); `grace` is for how many seconds files can be fetched after a lease; `started` notes a lease that this
    provider has started. `images`, `pod_control`, `use`, `clusters` and `backups` are None where jobs run without pods,
    `endpoints` where this provider has neither public ports nor a domain.
    """

    devices: Mapping[DeviceId, OwnDevice]
    epochs: Epochs
    leases: Leases
    challenges: ChallengeService
    openings: OpeningsService
    handovers: HandoverService
    probes: ProbeService
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
    quote: Callable[[tuple[DeviceId, ...], str, int], Awaitable[dict[str, Any]]]
    started: Callable[[Lease], None]
    oracle_domain: Domain
    clock: Callable[[], float]
    ready: Callable[[], bool]
    status: Callable[[], Mapping[str, Any]]
    metrics: Callable[[], bytes] = bytes
    cards: HostCards | None = None
    images: LeaseImages | None = None
    pod_control: PodControl | None = None
    use: LeaseUse | None = None
    clusters: Clusters | None = None
    endpoints: Endpoints | None = None
    backups: LeaseBackups | None = None
