"""Puts a validator together from its settings and runs it until a signal."""

from __future__ import annotations

import asyncio
import resource
import secrets
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn

from assay.chain import key_files
from assay.chain.certificate import fingerprint_in
from assay.chain.client import Chain
from assay.chain.deployment import Deployment
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.sender import Sender
from assay.daemon.ending import end_tasks
from assay.network.addresses import private_allowed
from assay.network.backoff import Backoff
from assay.network.client import Client
from assay.network.request_buckets import RequestBuckets
from assay.protocol.hexadecimal import parse_address
from assay.signing.errors import SigningError
from assay.signing.remote_signer import RemoteSigner
from assay.signing.seat_signer import SeatSigner
from assay.validator import metrics, registration
from assay.validator.api.app import create_app
from assay.validator.api.services import ApiServices
from assay.validator.chain_reader import ContractReader
from assay.validator.chain_writer import ContractWriter
from assay.validator.daemon import Daemon
from assay.validator.device_client import DeviceClient
from assay.validator.errors import SettingsError, ValidatorError
from assay.validator.follower import Follower
from assay.validator.gossip import Gossiper
from assay.validator.inbox import Inbox
from assay.validator.opening_checks import OpeningChecker
from assay.validator.pace import pace
from assay.validator.peer_client import PeerClient
from assay.validator.publication import Publication
from assay.validator.registration import Joined, account_of
from assay.validator.settings import ValidatorSettings
from assay.validator.spread_checks import SpreadChecker
from assay.validator.status import status, unready
from assay.validator.store import Store
from assay.validator.system_clock import SystemClock
from assay.validator.tables import open_database
from assay.validator.wake import Wake
from assay.validator.work import Services

NO_EPOCH = -1  # before the first epoch there is nothing that anybody can have signed
CONNECT_S = 2.0
SILENT_DEVICE = Backoff(first_s=0.25, factor=2.0, longest_s=4.0, free=2)
log = structlog.get_logger()


SignerKey = Key | RemoteSigner


def load_key(settings: ValidatorSettings) -> SignerKey:
    """What signs for the seat and pays: a key file, or a remote signer. Raises KeyFileError, SignerUnavailable."""
    if settings.signer == "remote":
        assert settings.signer_url and settings.signer_address  # noqa: S101  # a rule of the settings
        return RemoteSigner(
            settings.signer_url,
            parse_address(settings.signer_address),
            timeout_s=settings.signer_timeout_s,
            ca_file=settings.signer_ca_file,
        )
    return key_files.load(settings.key_file, key_files.password(settings.password_file))


async def connect(settings: ValidatorSettings) -> Chain:
    """The chain of the settings. Raises ChainError."""
    return await Chain.connect(
        settings.rpc,
        Deployment.load(settings.deployment),
        final_depth=settings.final_depth,
        agreement=settings.agreement,
    )


def open_journal(settings: ValidatorSettings, key: SignerKey, chain: Chain) -> Journal:
    """The key's journal of transactions. Raises JournalInUse."""
    path = settings.data_dir / f"journal-{key.address.lower()}.sqlite"
    return Journal(path, key.address, chain.chain_id)


def open_signer(settings: ValidatorSettings, key: SignerKey, reader: ContractReader, clock: SystemClock) -> SeatSigner:
    """The signer with its record. Raises ValidatorError beside a living copy or with a damaged record."""
    path = settings.data_dir / f"signing-{key.address.lower()}.sqlite"
    current = reader.timing.epoch_at(clock.now())
    try:
        signer = SeatSigner(key, reader.domain, path, NO_EPOCH if current is None else current)
    except SigningError as error:
        raise ValidatorError(str(error)) from None
    if signer.doubt:
        log.warning("epochs are sat out", through=signer.record.floor, reason=signer.doubt)
    return signer


def checker_of(settings: ValidatorSettings) -> OpeningChecker:
    """What verifies openings. Raises SettingsError."""
    if settings.verification == "inprocess":
        return OpeningChecker(settings.workers)
    if settings.dask_address is None:
        raise SettingsError("verification = 'dask' needs dask_address, the scheduler's tcp://host:port")
    return SpreadChecker(settings.dask_address, settings.workers)


def raise_file_limit() -> None:
    """As many open files as the system lets this process have: every idle device holds a connection open at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ValidatorError where the address is taken or not this machine's."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        raise ValidatorError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    return listener


@asynccontextmanager
async def assembled(settings: ValidatorSettings, key: SignerKey) -> AsyncIterator[tuple[Daemon, ApiServices]]:
    """A daemon and what its interface needs, with everything closed at the end."""
    clock = SystemClock()
    chain = await connect(settings)
    statements: SeatSigner | None = None
    journal: Journal | None = None
    checker = checker_of(settings)
    allow_private = private_allowed(chain.chain_id)
    peers = PeerClient(Client.over_network(allow_private=allow_private, connect_s=CONNECT_S))
    devices = DeviceClient(Client.over_network(allow_private=allow_private, connect_s=CONNECT_S, backoff=SILENT_DEVICE))
    tending: asyncio.Task[None] | None = None
    warming: asyncio.Task[None] | None = None
    try:
        account = settings.account or await account_of(chain, key.address)
        reader = await ContractReader.open(chain)
        speed = pace(reader.timing)
        statements = open_signer(settings, key, reader, clock)
        journal = open_journal(settings, key, chain)
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        wake = Wake(clock)
        store = Store(open_database(settings.data_dir / "validator.sqlite"), clock.now)
        services = Services(
            reader=reader,
            writer=ContractWriter(sender, timeout_s=max(10.0, 4 * speed.round_s)),
            statements=statements,
            gossip=Gossiper(peers, clock, speed.request_s),
            devices=devices,
            checker=checker,
            store=store,
            clock=clock,
            wake=wake,
            follower=Follower(reader, wake, clock, settings.poll_seconds),
            pace=speed,
            random=secrets.token_bytes,
        )
        daemon = Daemon(services, peers, account)
        collected = metrics.registry(daemon)
        api = ApiServices(
            inbox=Inbox(daemon.run_of, clock, wake),
            publication=Publication(store, reader.domain),
            store=store,
            limit=RequestBuckets(
                settings.requests_per_second, settings.request_burst, lambda: clock.elapsed_us() / 1e6
            ),
            downloads=RequestBuckets(
                settings.download_mib_per_second * (1 << 20),
                settings.download_burst_mib * (1 << 20),
                lambda: clock.elapsed_us() / 1e6,
            ),
            status=lambda: status(daemon),
            unready=lambda: unready(daemon),
            metrics=lambda: metrics.text(collected),
        )
        tending = asyncio.create_task(sender.run())
        warming = asyncio.create_task(checker.warm_up())
        yield daemon, api
    finally:
        await end_tasks(task for task in (tending, warming) if task is not None)
        checker.close()
        await peers.close()
        await devices.close()
        if journal is not None:
            journal.close()
        if statements is not None:
            statements.close()
        await chain.close()


async def announce(settings: ValidatorSettings, key: SignerKey, endpoint: str) -> str:
    """Changes where others reach the key's seat; hash of the transaction. Raises ChainError, ValidatorError."""
    chain = await connect(settings)
    journal: Journal | None = None
    try:
        journal = open_journal(settings, key, chain)
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        return await registration.announce(chain, sender, endpoint, certificate_of(settings))
    finally:
        if journal is not None:
            journal.close()
        await chain.close()


def certificate_of(settings: ValidatorSettings) -> bytes:
    """H of the certificate that this validator shows; zeros where it has none of its own."""
    found = None if settings.tls_dir is None else fingerprint_in(settings.tls_dir)
    return found or registration.NO_FINGERPRINT


async def join(settings: ValidatorSettings, key: SignerKey, signer: SignerKey, endpoint: str) -> Joined:
    """Takes a seat for the key's account. Raises ChainError, ValidatorError."""
    chain = await connect(settings)
    journal: Journal | None = None
    try:
        journal = open_journal(settings, key, chain)
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        return await registration.join(chain, sender, signer, endpoint, certificate_of(settings))
    finally:
        if journal is not None:
            journal.close()
        await chain.close()


async def run(settings: ValidatorSettings, key: SignerKey) -> None:
    """Runs until SIGINT or SIGTERM. Raises ChainError, SettingsError, ValidatorError before it starts."""
    raise_file_limit()
    listener = listen(settings.host, settings.port)
    try:
        async with assembled(settings, key) as (daemon, api):
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(api),
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=5,
                    lifespan="off",
                    ssl_certfile=settings.tls_dir / "certificate.pem" if settings.tls_dir else None,
                    ssl_keyfile=settings.tls_dir / "key.pem" if settings.tls_dir else None,
                )
            )
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, daemon.stop)
            log.info("validator runs", account=daemon.account, signer=key.address, port=settings.port)
            # `_serve` leaves signals alone; `serve` would take them away from the daemon.
            serving = asyncio.create_task(server._serve(sockets=[listener]))
            try:
                await daemon.run()
            finally:
                server.should_exit = True
                await serving
            log.info("validator stopped")
    finally:
        listener.close()
