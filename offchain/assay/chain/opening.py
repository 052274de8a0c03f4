"""The chain that a program's settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.log_cache import LogCache
from assay.settings.base import ProgramSettings


async def open_chain(
    settings: ProgramSettings, *, agreement: int | None = None, batch: bool = False, cache_logs_in: Path | None = None
) -> Chain:
    """Connected and checked; whoever opens it closes it. With `batch` what is asked for at once goes out as one call.
    Raises ChainError.
    """
    deployment = Deployment.load(settings.deployment)
    cache = None if cache_logs_in is None else LogCache(cache_logs_in, deployment.chain_id)
    return await Chain.connect(
        settings.rpc,
        deployment,
        final_depth=settings.final_depth,
        agreement=agreement,
        batch=batch,
        log_cache=cache,
    )


@asynccontextmanager
async def opened_chain(settings: ProgramSettings) -> AsyncIterator[Chain]:
    """The same for the time of a `with` block."""
    chain = await open_chain(settings)
    try:
        yield chain
    finally:
        await chain.close()
