"""Follows a job to its end, through disconnections and restarts of the provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol

from assay.renter.errors import ProviderRefused, RenterError, Unreachable
from assay.renter.lease.keeping import Move
from assay.renter.session.provider_session import JobState

PATIENCE_S = 120.0
RETRY_S = 0.5


def untold(text: str) -> None:
    """For whom nothing need be told."""


class JobSource(Protocol):
    """What following asks of a lease's session."""

    def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]: ...
    async def job(self, job_id: str) -> JobState: ...


async def run_job(
    session: JobSource,
    job_id: str,
    on_output: Callable[[bytes], None],
    patience_s: float = PATIENCE_S,
    tell: Callable[[str], None] = untold,
) -> JobState:
    """Hands each piece of output on as it comes, each byte once; how the job ended.

    A provider that does not answer is asked again for `patience_s`, then Unreachable is raised; `tell` is told when it
    falls silent and when it is back.
    """
    offset = 0
    silent_since: float | None = None
    while True:
        try:
            async for piece in session.output(job_id, offset, follow=True):
                offset += len(piece)
                _answered(silent_since, tell)
                silent_since = None
                on_output(piece)
            state = await session.job(job_id)
            _answered(silent_since, tell)
            silent_since = None
            if state.over:
                return state
        except (Unreachable, ProviderRefused) as error:
            if isinstance(error, ProviderRefused) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            if silent_since is None:
                silent_since = time.monotonic()
                tell(f"the provider does not answer, asking again for {patience_s:.0f} s: {error}")
            _check_patience(silent_since, patience_s, error)
        await asyncio.sleep(RETRY_S)


def _answered(silent_since: float | None, tell: Callable[[str], None]) -> None:
    if silent_since is not None:
        tell(f"the provider answers again after {time.monotonic() - silent_since:.0f} s")


def _check_patience(silent_since: float, patience_s: float, error: RenterError) -> None:
    if time.monotonic() - silent_since > patience_s:
        raise Unreachable(f"the provider has not answered for {patience_s:.0f} s: {error}") from error


async def guarded(following: Coroutine[Any, Any, JobState], keeping: Coroutine[Any, Any, Move]) -> JobState:
    """How a job ended while its lease was kept. Raises Unreachable where the lease was left before the job's end."""
    job, guard = asyncio.ensure_future(following), asyncio.ensure_future(keeping)
    try:
        await asyncio.wait({job, guard}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done() and guard.result() is Move.END:
            raise Unreachable("the lease was ended for the reason above, the rest of its deposit collected")
        return await job
    finally:
        for task in (job, guard):
            task.cancel()
        await asyncio.gather(job, guard, return_exceptions=True)
