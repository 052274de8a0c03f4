"""The chain, and for whom, for commands that only look: no password, no journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.chain.key_files import address_in
from assay.chain.opening import opened_chain
from assay.provider.authority import Authority
from assay.provider.errors import ProviderError
from assay.provider.settings import ProviderSettings


@asynccontextmanager
async def reading(settings: ProviderSettings) -> AsyncIterator[Authority]:
    """Connects for the time of a `with` block; the key file may be missing where the provider is named. Raises
    ChainError, ProviderError.
    """
    file = settings.key_file
    if file is None and settings.provider is None:
        raise ProviderError("nobody is named: name the account with --provider, or a key file with --key-file")
    key_is_there = file is not None and (file.exists() or settings.provider is None)
    signer = address_in(file) if file is not None and key_is_there else settings.provider
    provider = settings.provider or signer
    if provider is None:
        raise ProviderError(f"{settings.key_file}: does not say whose key it is; name the account with --provider")
    async with opened_chain(settings) as chain:
        yield Authority(chain, provider, signer or provider)
