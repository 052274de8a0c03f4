"""A chain and the provider's sender for commands that send a few transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.chain.client import Chain
from assay.chain.sender import Sender
from assay.provider.assembly import connect
from assay.provider.settings import ProviderSettings


@asynccontextmanager
async def sending(settings: ProviderSettings) -> AsyncIterator[tuple[Chain, Sender]]:
    """Connects; what an earlier process left unsettled is finished first. Raises ChainError."""
    chain, key, journal = await connect(settings)
    try:
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        await sender.settle_all()
        yield chain, sender
    finally:
        journal.close()
        await chain.close()
