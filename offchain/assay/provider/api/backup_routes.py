"""What a renter asks so that its files outlive this provider: backups, what they hold, and files put back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from assay.provider.api.renter_check import authorised_lease, require_running
from assay.provider.api.services import Services
from assay.provider.backups.lease_backups import LeaseBackups
from assay.provider.backups.progress import BACKUP, RESTORE, BackupProgress
from assay.provider.errors import Conflict
from assay.wire import paths
from assay.wire.storage.backups import (
    MAX_SNAPSHOTS,
    BackupBody,
    BackupKind,
    BackupShownBody,
    RepositoryBody,
    RestoreBody,
    SnapshotBody,
    SnapshotsBody,
)


def backup_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId} for the lease's renter."""
    router, saving = APIRouter(prefix=paths.LEASE), set[int]()

    @router.put(paths.BACKUP)
    async def back_up(lease_id: int, body: BackupBody, request: Request) -> Any:
        """Begins a backup in the place of an earlier one; the answer does not wait for it."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        asked = {"repository": body.repository.to_secret_json(), "every": body.every}
        return _shown(BACKUP, await asyncio.to_thread(_backups(services).begin, lease_id, BACKUP, asked))

    @router.get(paths.BACKUP)
    async def backup(lease_id: int, request: Request) -> Any:
        """How the lease's backups stand."""
        await authorised_lease(services, lease_id, request)
        return _shown(BACKUP, await asyncio.to_thread(_backups(services).shown, lease_id, BACKUP))

    @router.delete(paths.BACKUP)
    async def stop(lease_id: int, request: Request) -> Any:
        """Makes no more of them, and lets the key go."""
        await authorised_lease(services, lease_id, request)
        return _shown(BACKUP, await asyncio.to_thread(_backups(services).stop, lease_id))

    @router.post(paths.SNAPSHOTS)
    async def snapshots(lease_id: int, body: RepositoryBody, request: Request) -> Any:
        """What a repository holds."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        asked = {"repository": body.to_secret_json()}
        found = await asyncio.to_thread(_backups(services).snapshots, lease_id, asked)
        shown = [SnapshotBody(id=one.id, at=one.at, lease=one.lease_id) for one in found[-MAX_SNAPSHOTS:]]
        return SnapshotsBody(snapshots=shown, left_out=len(found) - len(shown)).to_json()

    @router.post(paths.RESTORE)
    async def restore(lease_id: int, body: RestoreBody, request: Request) -> Any:
        """Begins to put a snapshot's files into the lease's workspace; the answer does not wait for it."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        asked = {
            "repository": body.repository.to_secret_json(),
            "snapshot": body.snapshot,
            "of_lease": body.lease,
        }
        return _shown(RESTORE, await asyncio.to_thread(_backups(services).begin, lease_id, RESTORE, asked))

    @router.get(paths.RESTORE)
    async def restored(lease_id: int, request: Request) -> Any:
        """How far it is."""
        await authorised_lease(services, lease_id, request)
        return _shown(RESTORE, await asyncio.to_thread(_backups(services).shown, lease_id, RESTORE))

    @router.get(paths.POD_IMAGE)
    async def image(lease_id: int, request: Request) -> StreamingResponse:
        """The pod's root file system, as `root_archive` frames it: one at a time of a lease."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        backups = _backups(services)
        if lease_id in saving:
            raise Conflict(f"the pod of lease {lease_id} is being saved already")
        saving.add(lease_id)
        try:
            found = await asyncio.to_thread(backups.root_archive, lease_id)
        except BaseException:
            saving.discard(lease_id)
            raise

        async def content() -> AsyncIterator[bytes]:
            try:
                while piece := await asyncio.to_thread(next, found, b""):
                    yield piece
            finally:
                saving.discard(lease_id)
                # One that is being read from is closed when it is forgotten, once that has come to its end.
                with contextlib.suppress(ValueError):
                    found.close()

        return StreamingResponse(content(), media_type=paths.BYTES)

    return router


def _backups(services: Services) -> LeaseBackups:
    if services.backups is None:
        raise Conflict("this provider runs jobs without pods: there is nothing to back up here")
    return services.backups


def _shown(kind: BackupKind, progress: BackupProgress) -> Any:
    return BackupShownBody(kind=kind, **asdict(progress)).to_json()
