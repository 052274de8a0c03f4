"""The chain and the provider's address for commands that only look: no password, no journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.key_files import address_in
from assay.provider.errors import ProviderError
from assay.provider.settings import ProviderSettings


@asynccontextmanager
async def reading(settings: ProviderSettings) -> AsyncIterator[tuple[Chain, str]]:
    """Connects for the time of a `with` block. Raises ChainError, ProviderError."""
    provider = settings.provider or address_in(settings.key_file)
    if provider is None:
        raise ProviderError(f"{settings.key_file}: does not say whose key it is; name the account with --provider")
    deployment = Deployment.load(settings.deployment)
    chain = await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth)
    try:
        yield chain, provider
    finally:
        await chain.close()
