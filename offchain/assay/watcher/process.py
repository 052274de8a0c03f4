"""Puts a watcher together and runs it until a signal."""

from __future__ import annotations

import asyncio
import secrets

import structlog

from assay.chain.epochs import read_timing
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.opening import open_chain
from assay.chain.sender import Sender
from assay.daemon.ending import on_stop
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.watcher.demands import Demands
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.holds import HeldSlashes
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import Prosecutor
from assay.watcher.published import Published
from assay.watcher.settings import WatcherSettings
from assay.watcher.watch import Watch

log = structlog.get_logger()


async def run(settings: WatcherSettings, key: Key) -> None:
    """Runs until SIGINT or SIGTERM. Raises ChainError before it starts."""
    chain = await open_chain(settings)
    journal: Journal | None = None
    notebook: Notebook | None = None
    client = Client.over_network(allow_private=private_allowed(chain.chain_id, settings.allow_private))
    published = Published(client, own=settings.validator)
    try:
        address = key.address.lower()
        journal = Journal(settings.data_dir / f"journal-{address}.sqlite", key.address, chain.chain_id)
        notebook = Notebook(settings.data_dir / "watcher.sqlite")
        evidence = EvidenceFolder(settings.data_dir / "evidence")
        sender = Sender(chain, key, journal, poll_s=min(0.3, settings.poll_seconds))
        timing = await read_timing(chain)
        watch = Watch(
            chain=chain,
            timing=timing,
            published=published,
            notebook=notebook,
            prosecutor=Prosecutor(chain, timing, sender, notebook, evidence, secrets.token_bytes),
            demands=Demands(chain, sender, notebook, settings.limits, secrets.token_bytes),
            holds=HeldSlashes(chain, sender, notebook),
            validators=tuple(settings.validator),
            poll_s=settings.poll_seconds,
        )
        stopping = asyncio.Event()
        on_stop(stopping.set)
        log.info("watcher runs", address=key.address)
        await watch.run(stopping)
        log.info("watcher stopped")
    finally:
        await published.close()
        if notebook is not None:
            notebook.close()
        if journal is not None:
            journal.close()
        await chain.close()
