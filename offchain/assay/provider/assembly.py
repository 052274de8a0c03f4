"""Puts a provider's parts together from its settings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine as Database

from assay.chain.client import Chain
from assay.chain.contract_signatures import contract_accepts
from assay.chain.deployment import Deployment
from assay.chain.erc20 import Erc20
from assay.chain.journal import Journal
from assay.chain.key_files import Key, load, password
from assay.chain.leases import Lease
from assay.chain.profiles import read_profile
from assay.chain.sender import Sender
from assay.protocol.encoding import device_id as device_id_of
from assay.provider.api.services import Services
from assay.provider.chain_view import ChainView
from assay.provider.challenge_desk import ChallengeDesk
from assay.provider.commitments import CommitmentStore
from assay.provider.database import open_database
from assay.provider.demand_desk import DemandDesk
from assay.provider.demand_sender import DemandSender
from assay.provider.device import Device
from assay.provider.disk_volumes import choose_disks
from assay.provider.errors import BadSetting, ProviderError
from assay.provider.escrow_sender import EscrowSender
from assay.provider.handover_desk import HandoverDesk
from assay.provider.jobs import JobBook
from assay.provider.lane_commitments import LaneCommitmentStore
from assay.provider.lease_book import LeaseBook
from assay.provider.lease_keeper import LeaseKeeper
from assay.provider.lease_ports import LeasePorts
from assay.provider.lease_rules import Policy
from assay.provider.logins import Logins
from assay.provider.notebooks import Notebooks
from assay.provider.offer_service import OfferService
from assay.provider.offers import OfferBook, Price, rate_of
from assay.provider.openings_desk import OpeningsDesk
from assay.provider.probe_desk import ProbeDesk
from assay.provider.prover import Prover, Task
from assay.provider.request_signatures import RequestGuard
from assay.provider.reverse_proxy import ReverseProxy
from assay.provider.runtime.container import ImagePolicy
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.selection import RuntimeChoice, select_runtime
from assay.provider.runtime.workload import Limits
from assay.provider.settings import ProviderSettings
from assay.provider.specifications import Specifications
from assay.provider.ssh.authorised_keys import AuthorisedKeys
from assay.provider.ssh.shells import Shells
from assay.provider.terms import TermsFile
from assay.provider.trap_engines import engine_maker
from assay.provider.views import EpochView
from assay.provider.wipe_records import WipeRecords

PROOFS_PER_DEVICE = 4

log = structlog.get_logger()


@dataclass
class Parts:
    """A provider's process, assembled; `ready` becomes true with the first round over its leases."""

    chain: Chain
    journal: Journal
    sender: Sender
    view: ChainView
    prover: Prover
    keeper: LeaseKeeper
    demands: DemandDesk
    offers: OfferService
    shells: Shells
    ports: LeasePorts
    services: Services
    devices: dict[bytes, Device]
    status: dict[str, Any]

    async def close(self) -> None:
        """Lets go of the worker, the journal and the connections."""
        await self.services.proxy.close()
        self.ports.close()
        self.prover.close()
        self.journal.close()
        await self.chain.close()


async def connect(settings: ProviderSettings) -> tuple[Chain, Key, Journal]:
    """The chain, the provider's key and its journal. Raises ChainError."""
    deployment = Deployment.load(settings.deployment)
    chain = await Chain.connect(settings.rpc, deployment, final_depth=settings.final_depth)
    try:
        key = load(settings.key_file, password(settings.password_file))
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal(settings.data_dir / "transactions.sqlite", key.address, chain.chain_id)
    except BaseException:
        await chain.close()
        raise
    return chain, key, journal


async def assemble(settings: ProviderSettings) -> Parts:
    """Connects, loads keys and devices, checks engine and runtime. Raises ChainError, ProviderError."""
    chain, key, journal = await connect(settings)
    try:
        return await _parts(settings, chain, key, journal)
    except BaseException:
        journal.close()
        await chain.close()
        raise


async def _parts(settings: ProviderSettings, chain: Chain, key: Key, journal: Journal) -> Parts:
    make_engine = engine_maker(settings.engine, chain.chain_id)
    runtime = select_runtime(runtime_choice(settings), chain.chain_id)
    devices = await load_devices(chain, key.address, device_keys(settings), Specifications(settings.data_dir))
    database = open_database(settings.data_dir / "provider.sqlite")
    sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
    view = ChainView(chain)
    prover = Prover(make_engine, PROOFS_PER_DEVICE * len(devices))
    # Without walls around its jobs a machine is a developer's: nothing is mounted there unless it is asked for.
    choice = "watched" if settings.disk == "auto" and runtime.name == "local" else settings.disk
    disks = choose_disks(choice, settings.data_dir / "leases", settings.job_disk)
    jobs = JobBook(database, runtime, settings.data_dir, _limits(settings), time.time, disks)
    jobs.restore()
    book = LeaseBook(database)
    receiver = settings.receiver or key.address
    escrow = EscrowSender(chain, sender, receiver)
    holdback = int(await chain.call("LeaseEscrow", "holdback"))
    policy = Policy(claim_every=settings.claim_every, grace=settings.grace, holdback=holdback)
    wipes = WipeRecords(database, chain.domain("LeaseEscrow"), key.sign_digest)
    keeper = LeaseKeeper(devices, view, escrow, jobs, book, policy, wipes, time.time)
    prices = await _prices(settings, chain, devices)
    signed = OfferBook(key.address, chain.domain("LeaseEscrow"), key.sign_digest, time.time)
    offers = OfferService(chain, sender, devices, prices, signed, TermsFile(settings.data_dir))
    status: dict[str, Any] = {
        "provider": key.address,
        "devices": [device.name for device in devices.values()],
        "engine": make_engine().name,
        "runtime": runtime.name,
        "disk": disks.name,
        "egress": settings.egress,
        "ready": False,
    }
    ssh_keys = AuthorisedKeys(database)
    shells = Shells(
        runtime,
        lambda lease_id, command: jobs.shell_workload(lease_id, keeper.runs_until(lease_id), command),
        keeper.runs_until,
        time.time,
    )
    ports = LeasePorts(
        lambda lease_id: runtime.rooms(
            jobs.workspace(lease_id),
            [*(("shell", pid) for pid in shells.processes(lease_id)), *jobs.supervisors(lease_id)],
        )
    )
    desks = _desks(chain, devices, view, prover, database, keeper)
    profiles = {device_id: device.profile for device_id, device in devices.items()}
    answering = DemandSender(chain, sender, view, receiver)
    demands = DemandDesk(profiles, CommitmentStore(database), answering, prover.prove, prover.open)
    status["demands"] = demands.status

    def started(lease: Lease) -> None:
        book.note(lease.lease_id, lease.device_id)

    services = Services(
        devices=devices,
        epochs=view,
        leases=view,
        challenges=desks[0],
        openings=desks[1],
        handovers=desks[2],
        probes=desks[3],
        escrow=escrow,
        jobs=jobs,
        notebooks=Notebooks(database, jobs),
        wipes=wipes,
        grace=settings.grace,
        proxy=ReverseProxy(ports),
        guard=RequestGuard(database, chain.domain("LeaseEscrow"), time.time),
        ssh_keys=ssh_keys,
        logins=Logins(chain.chain_id, partial(contract_accepts, chain), time.time),
        offers=offers.listed,
        quote=offers.quote,
        started=started,
        oracle_domain=chain.domain("EpochOracle"),
        clock=time.time,
        ready=lambda: bool(status["ready"]),
        status=lambda: status,
    )
    return Parts(
        chain, journal, sender, view, prover, keeper, demands, offers, shells, ports, services, devices, status
    )


def _desks(
    chain: Chain,
    devices: dict[bytes, Device],
    view: ChainView,
    prover: Prover,
    database: Database,
    keeper: LeaseKeeper,
) -> tuple[ChallengeDesk, OpeningsDesk, HandoverDesk, ProbeDesk]:
    async def root_of(task: Task) -> bytes:
        return (await prover.prove(task)).result_root

    async def walk(task: Task, challenge: bytes) -> tuple[bytes, bytes]:
        probed = await prover.probe(task, challenge)
        return probed.proof.result_root, probed.lane_root

    async def prove(device: Device, epoch: EpochView, seed: bytes) -> bytes:
        return await root_of(Task(device.profile, epoch.epoch_seed, seed))

    store, lanes = CommitmentStore(database), LaneCommitmentStore(database)
    oracle, escrow = chain.domain("EpochOracle"), chain.domain("LeaseEscrow")
    return (
        ChallengeDesk(devices, view, keeper.idle, prove, store, oracle),
        OpeningsDesk(devices, view, store, root_of, prover.open),
        HandoverDesk(database, devices, view, root_of, prover.open, escrow),
        ProbeDesk(devices, view, store, lanes, walk, prover.open_lanes, oracle),
    )


def device_keys(settings: ProviderSettings) -> list[Key]:
    """Keys of the devices named, or of all in the data folder. Raises ProviderError where there is none."""
    paths: Sequence[Path] = settings.device_key or sorted(settings.devices_dir.glob("*.json"))
    if not paths:
        raise ProviderError(
            f"no device keys in {settings.devices_dir}: enrol a device first with `assay provider enrol`"
        )
    secret = password(settings.password_file)
    return [load(path, secret) for path in paths]


async def load_devices(chain: Chain, provider: str, keys: Sequence[Key], kept: Specifications) -> dict[bytes, Device]:
    """Enrolled devices by id. Raises ProviderError for a key that is not enrolled with this provider."""
    devices = {}
    for key in keys:
        device_id = device_id_of(provider, key.address)
        row = await chain.call("DeviceRegistry", "device", device_id, at="latest")
        if row.status != 1:
            state = ("not enrolled", "active", "retired", "slashed")[row.status]
            raise ProviderError(
                f"device 0x{device_id.hex()} (key {key.address}, provider {provider}) is {state}; "
                "enrol it with `assay provider enrol`, or take its key away"
            )
        profile = await read_profile(chain, int(row.profile), at="latest")
        specification = kept.of_device(device_id, bytes(row.specHash))
        if specification is None:
            log.warning(
                "no specification with the registry's hash: this device is found by its measurements only",
                device="0x" + device_id.hex(),
                looked_in=str(kept.path(device_id)),
            )
        devices[device_id] = Device(device_id, provider, key.address, profile, key.sign_digest, specification)
    return devices


async def _prices(settings: ProviderSettings, chain: Chain, devices: dict[bytes, Device]) -> dict[bytes, Price]:
    if settings.price_per_hour is None:
        return {}
    if settings.token is None:
        raise BadSetting("a price needs a token: name its address with --token")
    token = chain.web3.to_checksum_address(settings.token)
    price = Price(
        token=token,
        rate=rate_of(settings.price_per_hour, await Erc20(chain, token).decimals()),
        min_duration=settings.min_duration,
        max_duration=settings.max_duration,
        valid_for=settings.offer_valid,
    )
    return dict.fromkeys(devices, price)


def runtime_choice(settings: ProviderSettings) -> RuntimeChoice:
    """What the settings say about running workloads."""
    return RuntimeChoice(
        name=settings.runtime,
        engine=settings.container_engine,
        images=ImagePolicy(settings.container_image, tuple(settings.container_allow), tuple(settings.container_deny)),
        gpus=tuple(settings.container_gpus),
        egress=EgressRules.parse(settings.egress),
    )


def _limits(settings: ProviderSettings) -> Limits:
    return Limits(
        wall_seconds=settings.job_seconds,
        cpu_seconds=int(settings.job_seconds),
        memory_bytes=settings.job_memory,
        disk_bytes=settings.job_disk,
        output_bytes=settings.job_output,
    )
