"""The chain, and for whom, for commands that only look: no password, no journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.key_files import address_in
from assay.provider.authority import Authority
from assay.provider.errors import ProviderError
from assay.provider.settings import ProviderSettings


@asynccontextmanager
async def reading(settings: ProviderSettings) -> AsyncIterator[Authority]:
    """Connects for the time of a `with` block; the key file may be missing where the provider is named. Raises
    ChainError, ProviderError.
    """
    key_is_there = settings.key_file.exists() or settings.provider is None
    signer = address_in(settings.key_file) if key_is_there else settings.provider
    provider = settings.provider or signer
    if provider is None:
        raise ProviderError(f"{settings.key_file}: does not say whose key it is; name the account with --provider")
    deployment = Deployment.load(settings.deployment)
    chain = await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth)
    try:
        yield Authority(chain, provider, signer or provider)
    finally:
        await chain.close()
