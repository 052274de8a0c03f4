"""Opens the wallet's journal only while something is sent: other commands of the same wallet may run beside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assay.chain.errors import JournalInUse
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.renter.money.wallet import Wallet

PATIENCE_S = 30.0
RETRY_S = 0.2


class WalletOpener:
    """One wallet on one chain."""

    def __init__(self, chain: Chain, key: Key, folder: Path, poll_seconds: float) -> None:
        self._chain = chain
        self._key = key
        self._path = folder / f"transactions-{chain.chain_id}-{key.address.lower()}.sqlite"
        self._poll_seconds = poll_seconds
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Wallet]:
        """The wallet for the time of a `with` block. Waits for whoever else is sending; raises JournalInUse where that
        takes long."""
        async with self._one_at_a_time:
            journal = await self._opened()
            try:
                sender = Sender(self._chain, self._key, journal, poll_s=self._poll_seconds)
                yield Wallet(self._chain, self._key, sender)
            finally:
                journal.close()

    async def _opened(self) -> Journal:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Journal(self._path, self._key.address, self._chain.chain_id)
            except JournalInUse:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(RETRY_S)
