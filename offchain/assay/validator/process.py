"""Puts a validator together from its settings and runs it until a signal."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from assay.chain import key_files
from assay.chain.certificate import fingerprint_in, server_context
from assay.chain.key_files import Key
from assay.chain.opening import open_chain
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.daemon.ending import end_tasks, on_stop
from assay.daemon.metrics import metrics_text
from assay.network.addresses import private_allowed
from assay.network.backoff import Backoff
from assay.network.client import Client
from assay.network.connections import raise_file_limit
from assay.network.errors import NetworkError
from assay.network.origins import Endpoint
from assay.network.request_buckets import RequestBuckets
from assay.network.server import listening_socket, server, serving
from assay.protocol.hexadecimal import parse_address
from assay.signing.errors import SigningError
from assay.signing.remote_signer import RemoteSigner
from assay.signing.seat_signer import SeatSigner
from assay.validator import metrics
from assay.validator.api.app import create_app
from assay.validator.api.services import ApiServices
from assay.validator.chain import leaving, registration
from assay.validator.chain.chain_reader import ContractReader
from assay.validator.chain.chain_writer import ContractWriter
from assay.validator.chain.follower import Follower
from assay.validator.chain.leaving import SeatStake, SeatWithdrawal
from assay.validator.chain.registration import Joined, account_of
from assay.validator.daemon import Daemon
from assay.validator.devices.device_client import DeviceClient
from assay.validator.devices.opening_checks import OpeningChecker
from assay.validator.devices.reachability import Reachability
from assay.validator.devices.spread_checks import SpreadChecker
from assay.validator.errors import SettingsError, ValidatorError
from assay.validator.pace import pace
from assay.validator.peers.gossip import Gossiper
from assay.validator.peers.inbox import Inbox
from assay.validator.peers.peer_client import PeerClient
from assay.validator.peers.posts import Posts
from assay.validator.peers.publication import Publication
from assay.validator.services import ValidatorServices
from assay.validator.settings import ValidatorSettings
from assay.validator.status import status, unready
from assay.validator.storage.store import Store
from assay.validator.storage.tables import open_database
from assay.validator.system_clock import SystemClock
from assay.validator.wake import Wake
from assay.wire import paths

NO_EPOCH = -1  # before the first epoch there is nothing that anybody can have signed
CONNECT_S = 2.0
STATUS_S = 5.0
MAX_STATUS_BYTES = 1 << 20
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
    return key_files.open_key(settings.key_file, settings.password_file)


async def connect(settings: ValidatorSettings) -> Chain:
    """The chain of the settings. Raises ChainError."""
    return await open_chain(settings, agreement=settings.agreement)


def open_journal(settings: ValidatorSettings, key: SignerKey, chain: Chain) -> Journal:
    """The key's journal of transactions. Raises JournalInUse."""
    path = settings.data_dir / f"journal-{key.address.lower()}.sqlite"
    return Journal(path, key.address, chain.chain_id)


def open_signer(settings: ValidatorSettings, key: SignerKey, reader: ContractReader, now: float) -> SeatSigner:
    """The signer with its record. `now` is the later of this machine's and the chain's clock, Unix seconds: by one set
    back, an old copy of the record would sit out too little.

    Raises ValidatorError beside a living copy or with a damaged record.
    """
    path = settings.data_dir / f"signing-{key.address.lower()}.sqlite"
    current = reader.timing.epoch_at(now)
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


def tls_of(settings: ValidatorSettings) -> ssl.SSLContext | None:
    """What the daemon shows itself with; None for plain http. Raises SettingsError where it is missing."""
    if settings.tls_dir is None:
        return None
    context = server_context(settings.tls_dir)
    if context is None:
        raise SettingsError(f"tls_dir {settings.tls_dir} holds no certificate.pem: see `assay validator init`")
    return context


@asynccontextmanager
async def assembled(settings: ValidatorSettings, key: SignerKey) -> AsyncIterator[tuple[Daemon, ApiServices]]:
    """A daemon and what its interface needs, with everything closed at the end."""
    clock = SystemClock()
    chain = await connect(settings)
    statements: SeatSigner | None = None
    journal: Journal | None = None
    checker = checker_of(settings)
    allow_private = private_allowed(chain.chain_id, settings.allow_private)
    peers = PeerClient(Client.over_network(allow_private=allow_private, connect_s=CONNECT_S))
    devices = DeviceClient(Client.over_network(allow_private=allow_private, connect_s=CONNECT_S, backoff=SILENT_DEVICE))
    tending: asyncio.Task[None] | None = None
    warming: asyncio.Task[None] | None = None
    try:
        account = settings.account or await account_of(chain, key.address)
        reader = await ContractReader.open(chain)
        speed = pace(reader.timing)
        statements = open_signer(settings, key, reader, max(clock.now(), (await chain.head()).timestamp))
        journal = open_journal(settings, key, chain)
        sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
        wake = Wake(clock)
        store = Store(open_database(settings.data_dir / "validator.sqlite"), clock.now)
        services = ValidatorServices(
            reader=reader,
            writer=ContractWriter(sender, timeout_s=max(10.0, 4 * speed.round_s)),
            statements=statements,
            gossip=Gossiper(peers, Posts(account, statements.sign_gossip), clock, speed.request_s),
            devices=devices,
            checker=checker,
            store=store,
            clock=clock,
            wake=wake,
            follower=Follower(reader, wake, clock, settings.poll_seconds),
            pace=speed,
            random=secrets.token_bytes,
            keep_openings=settings.keep_openings,
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
            metrics=lambda: metrics_text(collected),
            reachability=Reachability(reader, devices, clock, lambda: services.follower.final, secrets.token_bytes),
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


@asynccontextmanager
async def sending(settings: ValidatorSettings, key: SignerKey) -> AsyncIterator[tuple[Chain, Sender]]:
    """The chain, and what sends for the key's account. Raises ChainError, ValidatorError."""
    chain = await connect(settings)
    journal: Journal | None = None
    try:
        journal = open_journal(settings, key, chain)
        yield chain, Sender(chain, key, journal, poll_s=settings.poll_seconds)
    finally:
        if journal is not None:
            journal.close()
        await chain.close()


async def announce(settings: ValidatorSettings, key: SignerKey, endpoint: str) -> str:
    """Changes where others reach the key's seat; hash of the transaction. Raises ChainError, ValidatorError."""
    async with sending(settings, key) as (chain, sender):
        return await registration.announce(chain, sender, endpoint, certificate_of(settings))


def certificate_of(settings: ValidatorSettings) -> bytes:
    """H of the certificate that this validator shows; zeros where it has none of its own."""
    found = None if settings.tls_dir is None else fingerprint_in(settings.tls_dir)
    return found or registration.NO_FINGERPRINT


async def join(settings: ValidatorSettings, key: SignerKey, signer: SignerKey, endpoint: str) -> Joined:
    """Takes a seat for the key's account. Raises ChainError, ValidatorError."""
    async with sending(settings, key) as (chain, sender):
        return await registration.join(chain, sender, signer, endpoint, certificate_of(settings))


async def leave(settings: ValidatorSettings, key: SignerKey) -> tuple[str, SeatStake]:
    """Gives up the seat of the key's account: as `leaving.leave`. Raises ChainError, ValidatorError."""
    async with sending(settings, key) as (chain, sender):
        return await leaving.leave(chain, sender)


async def withdraw(
    settings: ValidatorSettings, key: SignerKey, receiver: str | None, amount: int | None
) -> tuple[SeatWithdrawal, list[str], SeatStake]:
    """Takes out what can be had of the key's account, to itself by default: (what it was, hashes of the transactions,
    how it stands then). Raises ChainError, ValidatorError."""
    async with sending(settings, key) as (chain, sender):
        found = await leaving.read_seat_stake(chain, sender.address)
        plan = leaving.withdrawal(found, receiver or sender.address, amount)
        sent = [(await sender.send(call, label=call.function)).transaction_hash for call in plan.calls]
        return plan, sent, await leaving.read_seat_stake(chain, sender.address)


async def run(settings: ValidatorSettings, key: SignerKey) -> None:
    """Runs until SIGINT or SIGTERM. Raises ChainError, SettingsError, ValidatorError before it starts."""
    raise_file_limit()  # every idle device holds a connection open at once
    listener = listening_socket(settings.host, settings.port)
    try:
        async with assembled(settings, key) as (daemon, api):
            web = server(create_app(api), tls_of(settings))
            on_stop(daemon.stop)
            log.info("validator runs", account=daemon.account, signer=key.address, port=settings.port)
            async with serving(web, listener):
                await daemon.run()
            log.info("validator stopped")
    finally:
        listener.close()


async def ask_status(settings: ValidatorSettings) -> dict[str, Any]:
    """What the validator of these settings says of itself. Raises ValidatorError where it does not run."""
    scheme = "https" if settings.tls_dir else "http"
    endpoint = Endpoint(f"{scheme}://{settings.host}:{settings.port}", certificate_of(settings), own=True)
    client = Client.over_network(allow_private=True)
    try:
        answer = await client.request("GET", endpoint, paths.STATUS, max_bytes=MAX_STATUS_BYTES, timeout_s=STATUS_S)
        return dict(json.loads(answer.body))
    except (NetworkError, ValueError, TypeError) as error:
        raise ValidatorError(f"no validator answers at {endpoint}: {error}; is it running?") from None
    finally:
        await client.close()
