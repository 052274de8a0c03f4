"""Opens the wallet's journal only for commands that send: others may run beside them."""

from __future__ import annotations

import time
from pathlib import Path

from assay.chain.client import Chain
from assay.chain.errors import JournalInUse
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.renter.wallet import Wallet

PATIENCE_S = 30.0
RETRY_S = 0.2


class WalletOpener:
    """One wallet on one chain; the journal is locked from `wallet` to `close`."""

    def __init__(self, chain: Chain, key: Key, folder: Path, poll_seconds: float) -> None:
        self._chain = chain
        self._key = key
        self._path = folder / f"transactions-{chain.chain_id}-{key.address.lower()}.sqlite"
        self._poll_seconds = poll_seconds
        self._journal: Journal | None = None
        self._wallet: Wallet | None = None

    def wallet(self) -> Wallet:
        """The wallet. Waits for another command that is sending; raises JournalInUse where that takes long."""
        if self._wallet is None:
            self._journal = self._opened()
            sender = Sender(self._chain, self._key, self._journal, poll_s=self._poll_seconds)
            self._wallet = Wallet(self._chain, sender)
        return self._wallet

    def close(self) -> None:
        """Lets the journal go."""
        if self._journal is not None:
            self._journal.close()
            self._journal = self._wallet = None

    def _opened(self) -> Journal:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Journal(self._path, self._key.address, self._chain.chain_id)
            except JournalInUse:
                if time.monotonic() > until:
                    raise
            time.sleep(RETRY_S)
