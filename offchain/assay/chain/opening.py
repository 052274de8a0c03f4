"""The chain that a program's settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.settings.base import ProgramSettings


async def open_chain(settings: ProgramSettings, *, agreement: int | None = None) -> Chain:
    """Connected and checked; whoever opens it closes it. Raises ChainError."""
    deployment = Deployment.load(settings.deployment)
    return await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth, agreement=agreement)


@asynccontextmanager
async def opened_chain(settings: ProgramSettings) -> AsyncIterator[Chain]:
    """The same for the time of a `with` block."""
    chain = await open_chain(settings)
    try:
        yield chain
    finally:
        await chain.close()
