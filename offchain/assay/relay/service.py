"""Puts a relay together and runs it until a signal."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, closing

import structlog

from assay.chain.certificate import create_certificate, fingerprint_in, server_context
from assay.chain.contracts.devices import DeviceDirectory
from assay.chain.deployment import Deployment
from assay.chain.errors import ChainError
from assay.chain.opening import opened_chain
from assay.daemon.ending import end_tasks, on_stop
from assay.network.connections import MAX_OF_ONE, ConnectionLimits, raise_file_limit
from assay.network.server import listening_socket, server, serving
from assay.protocol.hexadecimal import to_hex
from assay.relay.admission import Admission, Enrolled, Listed
from assay.relay.errors import RelayError
from assay.relay.metrics import create_app
from assay.relay.port_book import PortBook, PortRules
from assay.relay.relay import Relay, public_listener
from assay.relay.settings import RelaySettings

CALLERS_OF_ONE = 256  # connections of one address to all public ports
log = structlog.get_logger()


async def run(settings: RelaySettings) -> None:
    """Runs until SIGINT or SIGTERM. Raises RelayError, ChainError, ListenFailed."""
    raise_file_limit()
    # A stream is a caller's connection and a provider's: each kind has a third of what there is for whoever comes.
    third = ConnectionLimits.of_process().in_all // 3
    providers, callers = ConnectionLimits(third, MAX_OF_ONE), ConnectionLimits(third, CALLERS_OF_ONE)
    async with AsyncExitStack() as stack:
        # Before anything else: a port that is taken should cost nothing.
        listening = stack.enter_context(listening_socket(settings.relay_host, settings.relay_port, providers))
        health = stack.enter_context(listening_socket(settings.relay_metrics_host, settings.relay_metrics_port))
        deployment = Deployment.load(settings.deployment)
        fingerprint = _certificate(settings)
        tls = server_context(settings.data_dir / "tls")
        if tls is None:
            raise RelayError(f"{settings.data_dir / 'tls'}: holds no certificate")
        admission: Admission = Listed(settings.listed)
        enrolled: Enrolled | None = None
        if not settings.listed:
            chain = await stack.enter_async_context(opened_chain(settings))
            admission = enrolled = Enrolled(DeviceDirectory(chain))
            await enrolled.refresh()
        rules = PortRules(settings.ports, settings.relay_ports_each, settings.relay_hold)
        book = stack.enter_context(closing(PortBook(settings.data_dir / "ports.sqlite", rules, time.time)))
        relay = Relay(
            admission,
            book,
            deployment.domain("DeviceRegistry"),
            fingerprint,
            public_listener(settings.relay_host, callers),
            settings.limits,
        )
        stopping = asyncio.Event()
        on_stop(stopping.set)
        taking = await relay.serve(listening, tls)
        looking = asyncio.create_task(_look(relay, enrolled, settings.relay_refresh))
        log.info(
            "relay runs",
            address=f"{settings.relay_host}:{settings.relay_port}",
            ports=settings.relay_ports,
            fingerprint=to_hex(fingerprint),
        )
        try:
            async with serving(server(create_app(relay)), health) as answering:
                ends = [answering, looking, asyncio.create_task(stopping.wait())]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for task in (answering, looking):
                    if task.done():
                        task.result()
        finally:
            taking.close()
            await end_tasks([looking])
            await relay.close()
            log.info("relay stopped")


def _certificate(settings: RelaySettings) -> bytes:
    """H of the relay's certificate, which is made at the first start. Raises BadCertificate."""
    folder = settings.data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    return fingerprint_in(folder) or create_certificate(folder, "assay-relay")


async def _look(relay: Relay, enrolled: Enrolled | None, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            if enrolled is not None:
                await enrolled.refresh()
        except ChainError as error:
            # Whoever is linked stays so: the ready check tells when the view is too old.
            log.warning("it could not be read who is enrolled", error=str(error))
        relay.keep_admitted()
