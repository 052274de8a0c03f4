"""The chain, the key at hand and its journal, for everything that sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from assay.chain.key_files import Key, open_key
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.provider.account.authority import Authority
from assay.provider.settings import ProviderSettings


async def connect(settings: ProviderSettings) -> tuple[Chain, Key, Journal]:
    """The chain, the key and its journal, which is locked. Raises ChainError."""
    chain = await open_chain(settings)
    try:
        key = open_key(settings.key_file, settings.password_file)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        # Each key has a journal of its own: a folder may see the provider's key and an operator's.
        name = f"transactions-{key.address.lower()}.sqlite"
        journal = Journal(settings.data_dir / name, key.address, chain.chain_id)
    except BaseException:
        await chain.close()
        raise
    return chain, key, journal


@dataclass(frozen=True)
class Sending:
    """What a command sends with, and for whom."""

    chain: Chain
    sender: Sender
    authority: Authority


@asynccontextmanager
async def sending(settings: ProviderSettings) -> AsyncIterator[Sending]:
    """For commands that send a few transactions. Connects; what an earlier process left unsettled is
    finished first. Raises ChainError.
    """
    chain, key, journal = await connect(settings)
    try:
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        await sender.settle_all()
        yield Sending(chain, sender, Authority(chain, settings.provider or key.address, key.address))
    finally:
        journal.close()
        await chain.close()
