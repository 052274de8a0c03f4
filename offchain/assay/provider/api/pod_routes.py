"""What a renter asks of its pod: what it starts from, how it stands, a restart."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.hexadecimal import to_hex
from assay.provider.api.renter_check import authorised_lease, require_running
from assay.provider.api.services import Services
from assay.provider.errors import Conflict
from assay.provider.images.lease_images import ImageState, LeaseImages
from assay.provider.images.pod_control import PodControl, PodShown
from assay.provider.leasing.lease_rules import runs
from assay.provider.pods.pod import HostShare
from assay.provider.watch.use import UseShown
from assay.wire import paths
from assay.wire.pods import CardUse, PodBody, PodShownBody, PullBody, ShareBody, TemplatesBody, UseBody, UseSample


def pod_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId}/pod for the lease's renter, and the provider's templates for anybody."""
    router = APIRouter()

    @router.get(paths.TEMPLATES)
    async def templates() -> Any:
        """The templates that can be named here."""
        known = services.images.templates.values() if services.images else ()
        return TemplatesBody(templates=list(known)).to_json()

    @router.put(paths.LEASE + paths.POD)
    async def choose(lease_id: int, body: PodBody, request: Request) -> Any:
        """An image or a template in; looked at before it is answered, fetched after. A lease that is pending may
        choose, so that nothing streams before its image is here; a pod that runs is made anew, with its workspace
        kept."""
        lease, _ = await authorised_lease(services, lease_id, request)
        images, pods = _pods(services)
        paid = runs(lease, services.clock())
        if not paid and lease.status is not LeaseStatus.PENDING:
            require_running(services, lease)
        state = await images.choose(lease_id, lease.renter, body, paid)
        return _shown(services, lease, await asyncio.to_thread(pods.show, lease_id, lease.renter), state).to_json()

    @router.get(paths.LEASE + paths.POD)
    async def show(lease_id: int, request: Request) -> Any:
        """How the pod stands, and how far its image is."""
        lease, _ = await authorised_lease(services, lease_id, request)
        images, pods = _pods(services)
        shown = await asyncio.to_thread(pods.show, lease_id, lease.renter)
        return _shown(services, lease, shown, images.state(lease_id, lease.renter)).to_json()

    @router.post(paths.LEASE + paths.POD_RESTART)
    async def restart(lease_id: int, request: Request) -> Any:
        """Ends everything in the pod and starts it again; all its files stay."""
        lease, _ = await authorised_lease(services, lease_id, request)
        images, pods = _pods(services)
        require_running(services, lease)
        await asyncio.to_thread(pods.restart, lease_id)
        shown = await asyncio.to_thread(pods.show, lease_id, lease.renter)
        return _shown(services, lease, shown, images.state(lease_id, lease.renter)).to_json()

    @router.get(paths.LEASE + paths.USE)
    async def use(lease_id: int, request: Request) -> Any:
        """What the pod and the cards use now, and the pod in the last hour."""
        lease, offer = await authorised_lease(services, lease_id, request)
        if services.use is None:
            raise Conflict("this provider runs jobs without pods, so nothing is measured")
        require_running(services, lease)
        _, pods = _pods(services)
        shown = await asyncio.to_thread(pods.show, lease_id, lease.renter)
        return _used(lease_id, await services.use.show(lease_id, offer.device_ids), shown.share).to_json()

    return router


def _used(lease_id: int, used: UseShown, share: HostShare | None) -> UseBody:
    return UseBody(
        lease_id=lease_id,
        now=None if used.now is None else UseSample(**asdict(used.now)),
        share=None if share is None else _share(share),
        hour=[UseSample(**asdict(one)) for one in used.hour],
        cards=[
            CardUse(device_id=to_hex(device_id), **({} if activity is None else asdict(activity)))
            for device_id, activity in used.cards
        ],
    )


def _share(share: HostShare) -> ShareBody:
    return ShareBody(**asdict(share), shm_bytes=share.shm_bytes)


def _pods(services: Services) -> tuple[LeaseImages, PodControl]:
    if services.images is None or services.pod_control is None:
        raise Conflict("this provider runs jobs without pods, so no image can be chosen")
    return services.images, services.pod_control


def _shown(services: Services, lease: Lease, pod: PodShown, state: ImageState) -> PodShownBody:
    image, share, pull = pod.image, pod.share, state.progress
    # What was asked for last is told until the pod stands on it.
    named = state.reference if state.phase in ("pulling", "unpacking", "failed") else None
    ready = state.phase == "ready" or (state.phase == "none" and image is not None)
    return PodShownBody(
        lease_id=lease.lease_id,
        state=pod.status.state,
        phase="ready" if ready else state.phase,
        image=named or (image.reference if image else None),
        digest=state.digest,
        notes=list(state.notes),
        pull=None
        if pull is None or state.phase not in ("pulling", "unpacking")
        else PullBody(
            layers=pull.layers,
            layers_done=min(pull.layers_done, pull.layers),
            bytes=pull.bytes,
            total_bytes=pull.total_bytes,
            resumed=pull.resumed,
        ),
        failure=state.failure,
        reason=pod.status.reason,
        start=list(image.start) if image else [],
        ports=list(image.ports) if image else [],
        started_at=pod.status.started_at,
        restarts=pod.status.restarts,
        ends_at=lease.stop,
        share=None if share is None else _share(share),
        address=pod.address or None,
    )
