"""The chain, the key at hand and its journal, for everything that sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from assay.chain.key_files import Key, open_key
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.key_lock import KeyLock
from assay.chain.transactions.sender import Sender
from assay.provider.account.authority import Authority
from assay.provider.settings import ProviderSettings


@dataclass(frozen=True)
class KeyJournal:
    """A key's journal, which no other process has, and the lock that keeps the key from other folders' journals."""

    journal: Journal
    lock: KeyLock

    def close(self) -> None:
        """Lets go of both."""
        self.journal.close()
        self.lock.close()


async def connect(settings: ProviderSettings) -> tuple[Chain, Key, KeyJournal]:
    """The chain, the key and its journal, which is locked. Raises JournalInUse beside another process with this folder,
    KeyInUse beside one with another, ChainError.
    """
    chain = await open_chain(settings)
    try:
        key = open_key(settings.key_file, settings.password_file)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        # Each key has a journal of its own: a folder may see the provider's key and an operator's.
        name = f"transactions-{key.address.lower()}.sqlite"
        journal = Journal(settings.data_dir / name, key.address, chain.chain_id)
        try:
            lock = await KeyLock.of(chain, key.address)
        except BaseException:
            journal.close()
            raise
    except BaseException:
        await chain.close()
        raise
    return chain, key, KeyJournal(journal, lock)


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
    chain, key, held = await connect(settings)
    try:
        sender = Sender(chain, key, held.journal, poll_s=settings.poll_seconds)
        await sender.settle_all()
        yield Sending(chain, sender, Authority(chain, settings.provider or key.address, key.address))
    finally:
        held.close()
        await chain.close()
