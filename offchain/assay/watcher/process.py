"""Puts a watcher together and runs it until a signal."""

from __future__ import annotations

import asyncio
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.epochs import read_timing
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.watcher.demands import DemandLimits, Demands
from assay.watcher.errors import BadSetting
from assay.watcher.evidence import EvidenceFolder
from assay.watcher.holds import HeldSlashes
from assay.watcher.notebook import Notebook
from assay.watcher.prosecution import Prosecutor
from assay.watcher.published import Published
from assay.watcher.watch import Watch

log = structlog.get_logger()


@dataclass(frozen=True)
class WatcherOptions:
    """What a watcher is started with; times in seconds."""

    rpc: tuple[str, ...]
    deployment: Path
    data_dir: Path
    validators: tuple[str, ...] = ()
    poll_s: float = 0.5
    final_depth: int | None = None
    limits: DemandLimits = field(default_factory=lambda: DemandLimits(most=4, rows=1, loss=50 * 10**18))


async def run(options: WatcherOptions, key: Key) -> None:
    """Runs until SIGINT or SIGTERM. Raises ChainError, BadSetting before it starts."""
    for url in options.validators:
        if not url.startswith(("http://", "https://")):
            raise BadSetting(f"validator {url[:80]!r}: an http(s) address is needed")
    chain = await Chain.connect(options.rpc, Deployment.load(options.deployment), final_depth=options.final_depth)
    journal: Journal | None = None
    notebook: Notebook | None = None
    client = Client.over_network(allow_private=private_allowed(chain.chain_id))
    published = Published(client, own=(url.rstrip("/") for url in options.validators))
    try:
        address = key.address.lower()
        journal = Journal(options.data_dir / f"journal-{address}.sqlite", key.address, chain.chain_id)
        notebook = Notebook(options.data_dir / "watcher.sqlite")
        evidence = EvidenceFolder(options.data_dir / "evidence")
        sender = Sender(chain, key, journal, poll_s=min(0.3, options.poll_s))
        timing = await read_timing(chain)
        watch = Watch(
            chain=chain,
            timing=timing,
            published=published,
            notebook=notebook,
            prosecutor=Prosecutor(chain, timing, sender, notebook, evidence, secrets.token_bytes),
            demands=Demands(chain, sender, notebook, options.limits, secrets.token_bytes),
            holds=HeldSlashes(chain, sender, notebook),
            validators=tuple(url.rstrip("/") for url in options.validators),
            poll_s=options.poll_s,
        )
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
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
