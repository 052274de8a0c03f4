"""Puts a provider's parts together from its settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine as Database

from assay.chain.client import Chain
from assay.chain.contract_signatures import contract_accepts
from assay.chain.demands import DemandDirectory
from assay.chain.devices import DeviceDirectory
from assay.chain.journal import Journal
from assay.chain.key_files import Key
from assay.chain.leases import Lease, read_offer
from assay.chain.sender import Sender
from assay.provider.announced_origins import AnnouncedOrigins
from assay.provider.api.services import Services
from assay.provider.authority import Authority, scope_names
from assay.provider.bonds import Bonds
from assay.provider.cards import cards_of
from assay.provider.chain_view import ChainView
from assay.provider.challenge_desk import ChallengeDesk
from assay.provider.commitments import CommitmentStore
from assay.provider.connection import connect
from assay.provider.database import open_database
from assay.provider.demand_desk import DemandDesk
from assay.provider.demand_sender import DemandSender
from assay.provider.device import Device
from assay.provider.devices import device_keys, load_devices, started_prices
from assay.provider.disk_volumes import choose_disks
from assay.provider.escrow_sender import EscrowSender
from assay.provider.gpu_names import GpuNames
from assay.provider.handover_desk import HandoverDesk
from assay.provider.jobs import JobBook, Share
from assay.provider.lane_commitments import LaneCommitmentStore
from assay.provider.lease_book import LeaseBook
from assay.provider.lease_keeper import LeaseKeeper
from assay.provider.lease_offers import LeaseOffers
from assay.provider.lease_ports import LeasePorts
from assay.provider.lease_rules import Policy
from assay.provider.lease_starts import LeaseStarts, StartConditions
from assay.provider.logins import Logins
from assay.provider.notebooks import Notebooks
from assay.provider.offer_service import OfferService
from assay.provider.offers import OfferMaker
from assay.provider.openings_desk import OpeningsDesk
from assay.provider.probe_desk import ProbeDesk
from assay.provider.prover import Provers, Task
from assay.provider.request_signatures import RequestGuard
from assay.provider.reverse_proxy import ReverseProxy
from assay.provider.runtime.container import ImagePolicy
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.selection import RuntimeChoice, select_runtime
from assay.provider.runtime.workload import Limits, Runtime
from assay.provider.settings import ProviderSettings
from assay.provider.specifications import Specifications
from assay.provider.ssh.authorised_keys import AuthorisedKeys
from assay.provider.ssh.shells import Shells
from assay.provider.terms import TermsFile
from assay.provider.trap_engines import engine_maker
from assay.provider.views import EpochView
from assay.provider.wipe_records import WipeRecords

PROOFS_PER_DEVICE = 4


@dataclass
class Parts:
    """A provider's process, assembled; `ready` becomes true with the first round over its leases."""

    chain: Chain
    journal: Journal
    sender: Sender
    view: ChainView
    prover: Provers
    keeper: LeaseKeeper
    demands: DemandDesk
    offers: OfferService
    shells: Shells
    ports: LeasePorts
    services: Services
    devices: dict[bytes, Device]
    authority: Authority
    status: dict[str, Any]

    async def close(self) -> None:
        """Lets go of the workers, the journal and the connections."""
        await self.services.proxy.close()
        self.ports.close()
        self.prover.close()
        self.journal.close()
        await self.chain.close()

    async def note_authority(self) -> None:
        """Tells in the status what an operator may do now. Raises ChainError."""
        if self.authority.is_operator:
            appointment = await self.authority.appointment()
            self.status.update(
                scopes=scope_names(appointment.scopes),
                until=appointment.until,
                scopesMissing=scope_names(await self.authority.lacking()),
            )


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
    authority = Authority(chain, settings.provider or key.address, key.address)
    make_engine = engine_maker(settings.engine, chain.chain_id)
    runtime = select_runtime(runtime_choice(settings), chain.chain_id)
    devices = await load_devices(chain, authority.provider, device_keys(settings), Specifications(settings.data_dir))
    gpus = GpuNames.parse(settings.container_gpus, devices)
    database = open_database(settings.data_dir / "provider.sqlite")
    sender = Sender(chain, key, journal, poll_s=settings.poll_seconds)
    view, book, terms = ChainView(chain), LeaseBook(database), TermsFile(settings.data_dir)
    engine = make_engine().name
    prover = Provers(make_engine, cards_of(devices.values(), engine), PROOFS_PER_DEVICE * len(devices))
    jobs = _jobs(settings, database, runtime, book, gpus)
    escrow = EscrowSender(chain, sender, authority, settings.receiver)
    bonds, lease_offers = Bonds(chain, authority), LeaseOffers(book, partial(read_offer, chain), authority.provider)
    holdback = int(await chain.call("LeaseEscrow", "holdback"))
    policy = Policy(claim_every=settings.claim_every, grace=settings.grace, holdback=holdback)
    domain = chain.domain("LeaseEscrow")
    wipes = WipeRecords(database, domain, key.sign_digest)
    keeper = LeaseKeeper(devices, view, escrow, jobs, book, lease_offers, policy, wipes, terms.read, time.time)
    prices = await started_prices(settings, chain, devices)
    maker = OfferMaker(authority.provider, authority.operator, domain, key.sign_digest, time.time)
    offers = OfferService(chain, sender, devices, prices, maker, terms, authority, bonds)
    status: dict[str, Any] = {
        "provider": authority.provider,
        "signer": authority.signer,
        "devices": [device.name for device in devices.values()],
        "engine": engine,
        "runtime": runtime.name,
        "disk": jobs.disk,
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
    accepts = partial(contract_accepts, chain)
    conditions = StartConditions(chain, authority, bonds)
    commitments = CommitmentStore(database)
    directory = DemandDirectory(chain, {*devices, *commitments.devices()})
    answering = DemandSender(chain, sender, view, directory, escrow.receiver)
    demands = DemandDesk(devices, commitments, answering, prover.prove, prover.open)
    status["demands"] = demands.status

    def started(lease: Lease) -> None:
        book.note(lease.lease_id)

    services = Services(
        devices=devices,
        epochs=view,
        leases=view,
        challenges=desks[0],
        openings=desks[1],
        handovers=desks[2],
        probes=desks[3],
        lease_offers=lease_offers,
        starts=LeaseStarts(conditions, desks[2].roots, escrow, domain, accepts, time.time),
        jobs=jobs,
        notebooks=Notebooks(database, jobs),
        wipes=wipes,
        grace=settings.grace,
        proxy=ReverseProxy(ports),
        guard=RequestGuard(database, domain, time.time),
        ssh_keys=ssh_keys,
        logins=Logins(chain.chain_id, accepts, time.time),
        origins=AnnouncedOrigins(devices, DeviceDirectory(chain).refresh),
        offers=offers.listed,
        quote=offers.quote,
        started=started,
        oracle_domain=chain.domain("EpochOracle"),
        clock=time.time,
        ready=lambda: bool(status["ready"]),
        status=lambda: status,
    )
    return Parts(
        chain, journal, sender, view, prover, keeper, demands, offers, shells, ports, services, devices, authority,
        status,
    )  # fmt: skip


def _jobs(settings: ProviderSettings, database: Database, runtime: Runtime, book: LeaseBook, gpus: GpuNames) -> JobBook:
    # Without walls around its jobs a machine is a developer's: nothing is mounted there unless it is asked for.
    choice = "watched" if settings.disk == "auto" and runtime.name == "local" else settings.disk
    disks = choose_disks(choice, settings.data_dir / "leases", settings.job_disk)

    def share(lease_id: int) -> Share:
        offer = book.offer(lease_id)
        return Share() if offer is None else Share(len(offer.device_ids), gpus.of(offer.device_ids))

    jobs = JobBook(database, runtime, settings.data_dir, _limits(settings), time.time, disks, share)
    jobs.restore()
    return jobs


def _desks(
    chain: Chain,
    devices: dict[bytes, Device],
    view: ChainView,
    prover: Provers,
    database: Database,
    keeper: LeaseKeeper,
) -> tuple[ChallengeDesk, OpeningsDesk, HandoverDesk, ProbeDesk]:
    async def root_of(task: Task) -> bytes:
        return (await prover.prove(task)).result_root

    async def walk(task: Task, challenge: bytes) -> tuple[bytes, bytes]:
        probed = await prover.probe(task, challenge)
        return probed.proof.result_root, probed.lane_root

    async def prove(device: Device, epoch: EpochView, seed: bytes) -> bytes:
        return await root_of(Task(device.profile, epoch.epoch_seed, seed, device.card))

    store, lanes = CommitmentStore(database), LaneCommitmentStore(database)
    oracle, escrow = chain.domain("EpochOracle"), chain.domain("LeaseEscrow")
    return (
        ChallengeDesk(devices, view, keeper.idle, prove, store, oracle),
        OpeningsDesk(devices, view, store, root_of, prover.open),
        HandoverDesk(database, devices, view, root_of, prover.open, escrow),
        ProbeDesk(devices, view, store, lanes, walk, prover.open_lanes, oracle),
    )


def runtime_choice(settings: ProviderSettings) -> RuntimeChoice:
    """What the settings say about running workloads."""
    return RuntimeChoice(
        name=settings.runtime,
        engine=settings.container_engine,
        images=ImagePolicy(settings.container_image, tuple(settings.container_allow), tuple(settings.container_deny)),
        egress=EgressRules.parse(settings.egress),
    )


def _limits(settings: ProviderSettings) -> Limits:
    """Of a job of one device."""
    return Limits(
        wall_seconds=settings.job_seconds,
        cpu_seconds=int(settings.job_seconds),
        memory_bytes=settings.job_memory,
        disk_bytes=settings.job_disk,
        output_bytes=settings.job_output,
    )
