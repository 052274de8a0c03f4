"""What a renter asks of a running lease: jobs and their output."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from assay.provider.api.json_bodies import job_request
from assay.provider.api.renter_check import authorised_lease, require_running, with_image
from assay.provider.api.services import Services
from assay.provider.runtime.pull_progress import pull_progress
from assay.provider.runtime.workload import output_path
from assay.provider.workloads import workspace
from assay.provider.workloads.jobs import JobRecord
from assay.wire import paths
from assay.wire.jobs import JobBody

PIECE = 1 << 16
FOLLOW_S = 0.02
QUIET_S = 15.0  # below what proxies and clients wait for a byte
LOOK_S = 0.2
MAX_OFFSET_DIGITS = 15


def job_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId} for the lease's renter."""
    router = APIRouter(prefix=paths.LEASE)

    @router.post(paths.JOBS)
    async def create(lease_id: int, body: JobBody, request: Request) -> dict[str, Any]:
        """Starts a job; its deadline is the second at which the lease's stream stops."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        wanted = await with_image(services, lease_id, job_request(body, services.jobs.most(lease_id)))
        job_id = await asyncio.to_thread(services.jobs.create, lease_id, float(lease.stop), wanted)
        return {"jobId": job_id}

    @router.get(paths.JOBS)
    async def jobs(lease_id: int, request: Request) -> dict[str, Any]:
        """All jobs of the lease, oldest first."""
        await authorised_lease(services, lease_id, request)
        records = await asyncio.to_thread(services.jobs.of_lease, lease_id)
        return {"jobs": [job_json(record) for record in records]}

    @router.get(paths.JOB)
    async def job(lease_id: int, job_id: str, request: Request) -> dict[str, Any]:
        """How a job stands."""
        await authorised_lease(services, lease_id, request)
        record = await asyncio.to_thread(services.jobs.get, lease_id, job_id)
        return {**job_json(record), **await asyncio.to_thread(_progress, services, record)}

    @router.delete(paths.JOB)
    async def stop(lease_id: int, job_id: str, request: Request) -> dict[str, Any]:
        """Ends a job."""
        await authorised_lease(services, lease_id, request)
        record = await asyncio.to_thread(services.jobs.stop, lease_id, job_id, "stopped by the renter")
        return job_json(record)

    @router.get(paths.JOB_OUTPUT)
    async def output(
        lease_id: int,
        job_id: str,
        request: Request,
        offset: int = Query(0, ge=0, le=1 << 50),
        follow: bool = False,
    ) -> StreamingResponse:
        """The output from `offset` on; with `follow` until the job is over. A reader that was cut off asks again with
        the offset that it has reached, or, as browsers do for text/event-stream, with Last-Event-ID."""
        await authorised_lease(services, lease_id, request)
        await asyncio.to_thread(services.jobs.get, lease_id, job_id)
        reached = request.headers.get("last-event-id", "")
        if reached.isascii() and reached.isdigit() and len(reached) <= MAX_OFFSET_DIGITS:
            offset = max(offset, int(reached))
        pieces = _pieces(services, lease_id, job_id, offset, follow)
        if paths.EVENTS in request.headers.get("accept", ""):
            return StreamingResponse(
                _events(pieces, offset), media_type=paths.EVENTS, headers={"cache-control": "no-store"}
            )
        return StreamingResponse(_until_quiet(pieces), media_type=paths.BYTES)

    return router


def job_json(record: JobRecord) -> dict[str, Any]:
    """A job as it travels."""
    return {
        "jobId": record.job_id,
        "status": record.outcome.status,
        "exitCode": record.outcome.exit_code,
        "reason": record.outcome.reason,
        "createdAt": record.created_at,
        "endedAt": record.ended_at,
    }


def _progress(services: Services, record: JobRecord) -> dict[str, Any]:
    """What kind of job it is, and what it is at: fetching its image, running, or over."""
    kind = "notebook" if services.notebooks.is_notebook(record.lease_id, record.job_id) else "batch"
    if record.outcome.final:
        return {"kind": kind, "phase": "over"}
    progress = pull_progress(services.jobs.control(record.lease_id, record.job_id))
    return {"kind": kind, "phase": "pulling", "pull": progress} if progress else {"kind": kind, "phase": "running"}


async def _events(pieces: AsyncIterator[bytes], offset: int) -> AsyncIterator[str]:
    """As server-sent events: the id is the offset behind the piece, the data its bytes in base64."""
    async for piece in pieces:
        if not piece:
            yield ": still here\n\n"
            continue
        offset += len(piece)
        yield f"id: {offset}\ndata: {base64.b64encode(piece).decode()}\n\n"
    yield "event: end\ndata:\n\n"


async def _until_quiet(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Plain bytes have no room for a sign of life: a silence ends the answer, and the reader asks for the rest."""
    async for piece in pieces:
        if not piece:
            return
        yield piece


async def _pieces(services: Services, lease_id: int, job_id: str, offset: int, follow: bool) -> AsyncIterator[bytes]:
    """The output, and an empty piece in each silence of `QUIET_S` seconds."""
    path = output_path(services.jobs.control(lease_id, job_id))
    over, look_at, quiet_at = False, 0.0, time.monotonic() + QUIET_S
    while True:
        # The job is looked at before the file: what it wrote before its end is then in the next read.
        if time.monotonic() >= look_at:
            over = (await asyncio.to_thread(services.jobs.get, lease_id, job_id)).outcome.final
            look_at = time.monotonic() + LOOK_S
        while piece := await asyncio.to_thread(workspace.read_piece, path, offset, PIECE):
            offset += len(piece)
            yield piece
            quiet_at = time.monotonic() + QUIET_S
        if over or not follow:
            return
        if time.monotonic() >= quiet_at:
            yield b""
            quiet_at = time.monotonic() + QUIET_S
        await asyncio.sleep(FOLLOW_S)
