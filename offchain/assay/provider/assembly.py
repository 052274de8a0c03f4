"""Puts a provider's parts together from its settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine as Database

from assay.chain.contracts.contract_signatures import contract_accepts
from assay.chain.contracts.demands import DemandDirectory
from assay.chain.contracts.devices import DeviceDirectory
from assay.chain.contracts.epochs import read_timing
from assay.chain.contracts.leases import Lease, read_offer
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.journal import Journal
from assay.chain.transactions.sender import Sender
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Root, Seed
from assay.provider.access.announced_origins import AnnouncedOrigins
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.logins import Logins
from assay.provider.access.notebooks import Notebooks
from assay.provider.access.request_signatures import RequestGuard
from assay.provider.access.reverse_proxy import ReverseProxy
from assay.provider.access.ssh_shells import Shells
from assay.provider.account.authority import Authority, scope_names
from assay.provider.api.services import Services
from assay.provider.chain_view import ChainView
from assay.provider.connection import connect
from assay.provider.database import open_database
from assay.provider.devices.cards import cards_of
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import GpuNames
from assay.provider.devices.registered import device_keys, load_devices, started_prices
from assay.provider.devices.specifications import Specifications
from assay.provider.leasing.escrow_sender import EscrowSender
from assay.provider.leasing.handover_service import HandoverService
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_keeper import LeaseKeeper
from assay.provider.leasing.lease_rules import LeasePolicy
from assay.provider.leasing.lease_starts import LeaseStarts, StartConditions
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.demand_sender import DemandSender
from assay.provider.measurement.demand_service import DemandService
from assay.provider.measurement.lane_commitments import LaneCommitmentStore
from assay.provider.measurement.openings_service import OpeningsService
from assay.provider.measurement.probe_service import ProbeService
from assay.provider.measurement.prover import Provers, Task, Urgency
from assay.provider.measurement.trap_engines import engine_maker
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.offers.offer_service import OfferService
from assay.provider.offers.offers import OfferMaker
from assay.provider.offers.terms import TermsFile
from assay.provider.retention import Retention
from assay.provider.runtime.container import ImagePolicy
from assay.provider.runtime.egress_rules import EgressRules
from assay.provider.runtime.selection import RuntimeChoice, select_runtime
from assay.provider.runtime.workload import Limits, Runtime
from assay.provider.settings import ProviderSettings
from assay.provider.views import EpochView
from assay.provider.workloads.disk_volumes import choose_disks
from assay.provider.workloads.jobs import JobBook, OpenShells, Share

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
    demands: DemandService
    offers: OfferService
    shells: Shells
    ports: LeasePorts
    services: Services
    devices: dict[DeviceId, OwnDevice]
    authority: Authority
    retention: Retention
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


@dataclass(frozen=True)
class _Ground:
    """What everything else stands on: connections, keys, the database, and the devices that are served. `view` is the
    chain as this daemon's own work reads it, `asked` as it is read for strangers, once a second at most.
    """

    settings: ProviderSettings
    chain: Chain
    key: Key
    sender: Sender
    authority: Authority
    devices: dict[DeviceId, OwnDevice]
    database: Database
    view: ChainView
    asked: ChainView
    book: LeaseBook
    terms: TermsFile

    @property
    def escrow(self) -> Domain:
        return self.chain.domain("LeaseEscrow")

    @property
    def oracle(self) -> Domain:
        return self.chain.domain("EpochOracle")


@dataclass(frozen=True)
class _Leasing:
    """Money and promises: what keeps leases, and what is on offer."""

    escrow: EscrowSender
    bonds: Bonds
    lease_offers: LeaseOffers
    wipes: WipeRecords
    keeper: LeaseKeeper
    offers: OfferService


@dataclass(frozen=True)
class _Desks:
    """What answers validators and renters about proofs."""

    challenges: ChallengeService
    openings: OpeningsService
    handovers: HandoverService
    probes: ProbeService
    demands: DemandService


async def _parts(settings: ProviderSettings, chain: Chain, key: Key, journal: Journal) -> Parts:
    make_engine = engine_maker(settings.engine, chain.chain_id)
    runtime = select_runtime(runtime_choice(settings), chain.chain_id)
    ground = await _ground(settings, chain, key, journal)
    engine = make_engine().name
    cards = cards_of(ground.devices.values(), engine)
    prover = Provers(make_engine, cards, PROOFS_PER_DEVICE * len(ground.devices))
    open_shells = OpenShells()
    jobs = _jobs(ground, runtime, open_shells)
    leasing = await _leasing(ground, jobs)
    shells = _shells(runtime, jobs, leasing.keeper, open_shells)
    ports = _ports(runtime, jobs, shells)
    desks = _desks(ground, prover, leasing)
    status = _first_status(ground, engine, runtime, jobs)
    status["demands"] = desks.demands.status
    return Parts(
        chain=chain,
        journal=journal,
        sender=ground.sender,
        view=ground.view,
        prover=prover,
        keeper=leasing.keeper,
        demands=desks.demands,
        offers=leasing.offers,
        shells=shells,
        ports=ports,
        services=_services(ground, leasing, desks, jobs, ports, status),
        devices=ground.devices,
        authority=ground.authority,
        retention=Retention(ground.database, await read_timing(chain), settings.keep_epochs),
        status=status,
    )


async def _ground(settings: ProviderSettings, chain: Chain, key: Key, journal: Journal) -> _Ground:
    authority = Authority(chain, settings.provider or key.address, key.address)
    devices = await load_devices(chain, authority.provider, device_keys(settings), Specifications(settings.data_dir))
    database = open_database(settings.data_dir / "provider.sqlite")
    return _Ground(
        settings=settings,
        chain=chain,
        key=key,
        sender=Sender(chain, key, journal, poll_s=settings.poll_seconds),
        authority=authority,
        devices=devices,
        database=database,
        view=ChainView(chain, authority.provider, for_strangers=False),
        asked=ChainView(chain, authority.provider, for_strangers=True),
        book=LeaseBook(database),
        terms=TermsFile(settings.data_dir),
    )


def _jobs(ground: _Ground, runtime: Runtime, shells: OpenShells) -> JobBook:
    settings, gpus = ground.settings, GpuNames.parse(ground.settings.container_gpus, ground.devices)
    # Without walls around its jobs a machine is a developer's: nothing is mounted there unless it is asked for.
    choice = "watched" if settings.disk == "auto" and runtime.name == "local" else settings.disk
    disks = choose_disks(choice, settings.data_dir / "leases", settings.job_disk)

    def share(lease_id: int) -> Share:
        offer = ground.book.offer(lease_id)
        return Share() if offer is None else Share(len(offer.device_ids), gpus.of(offer.device_ids))

    jobs = JobBook(ground.database, runtime, settings.data_dir, _limits(settings), time.time, disks, share, shells)
    jobs.restore()
    return jobs


async def _leasing(ground: _Ground, jobs: JobBook) -> _Leasing:
    settings, chain, authority = ground.settings, ground.chain, ground.authority
    escrow = EscrowSender(chain, ground.sender, authority, settings.receiver)
    bonds = Bonds(chain, authority)
    lease_offers = LeaseOffers(ground.book, partial(read_offer, chain), authority.provider)
    holdback = int(await chain.call("LeaseEscrow", "holdback"))
    policy = LeasePolicy(claim_every=settings.claim_every, grace=settings.grace, holdback=holdback)
    wipes = WipeRecords(ground.database, ground.escrow, ground.key.sign_digest)
    view, book, terms = ground.view, ground.book, ground.terms
    keeper = LeaseKeeper(ground.devices, view, escrow, jobs, book, lease_offers, policy, wipes, terms.read, time.time)
    prices = await started_prices(settings, chain, ground.devices)
    maker = OfferMaker(authority.provider, authority.operator, ground.escrow, ground.key.sign_digest, time.time)
    offers = OfferService(chain, ground.sender, ground.devices, prices, maker, terms, authority, bonds)
    return _Leasing(escrow, bonds, lease_offers, wipes, keeper, offers)


def _shells(runtime: Runtime, jobs: JobBook, keeper: LeaseKeeper, shells: OpenShells) -> Shells:
    return Shells(
        runtime,
        lambda lease_id, command: jobs.shell_workload(lease_id, keeper.runs_until(lease_id), command),
        keeper.runs_until,
        time.time,
        shells,
        jobs.most_workloads,
    )


def _ports(runtime: Runtime, jobs: JobBook, shells: Shells) -> LeasePorts:
    return LeasePorts(
        lambda lease_id: runtime.rooms(
            jobs.workspace(lease_id),
            [*(("shell", pid) for pid in shells.processes(lease_id)), *jobs.supervisors(lease_id)],
        )
    )


def _desks(ground: _Ground, prover: Provers, leasing: _Leasing) -> _Desks:
    async def root_of(task: Task) -> Root:
        return (await prover.prove(task)).result_root

    async def walk(task: Task, challenge: bytes) -> tuple[Root, Root]:
        probed = await prover.probe(task, challenge, Urgency.CHALLENGE)
        return probed.proof.result_root, probed.lane_root

    async def prove(device: OwnDevice, epoch: EpochView, seed: Seed) -> Root:
        task = Task(device.profile, epoch.epoch_seed, seed, device.card)
        return (await prover.prove(task, Urgency.CHALLENGE)).result_root

    devices, view, database = ground.devices, ground.asked, ground.database
    store, lanes = CommitmentStore(database), LaneCommitmentStore(database)
    directory = DemandDirectory(ground.chain, {*devices, *store.devices()})
    answering = DemandSender(ground.chain, ground.sender, ground.view, directory, leasing.escrow.receiver)
    return _Desks(
        challenges=ChallengeService(devices, view, leasing.keeper.idle, prove, store, ground.oracle),
        openings=OpeningsService(devices, view, store, root_of, prover.open),
        handovers=HandoverService(database, devices, view, root_of, prover.open, ground.escrow),
        probes=ProbeService(devices, view, store, lanes, walk, prover.open_lanes, ground.oracle),
        demands=DemandService(
            devices,
            store,
            answering,
            partial(prover.prove, urgency=Urgency.LATER),
            partial(prover.open, urgency=Urgency.LATER),
        ),
    )


def _first_status(ground: _Ground, engine: str, runtime: Runtime, jobs: JobBook) -> dict[str, Any]:
    return {
        "provider": ground.authority.provider,
        "signer": ground.authority.signer,
        "devices": [device.name for device in ground.devices.values()],
        "engine": engine,
        "runtime": runtime.name,
        "disk": jobs.disk,
        "egress": ground.settings.egress,
        "ready": False,
    }


def _services(
    ground: _Ground, leasing: _Leasing, desks: _Desks, jobs: JobBook, ports: LeasePorts, status: dict[str, Any]
) -> Services:
    accepts = partial(contract_accepts, ground.chain)
    conditions = StartConditions(ground.chain, ground.authority, leasing.bonds)

    def started(lease: Lease) -> None:
        ground.book.note(lease.lease_id)

    return Services(
        devices=ground.devices,
        epochs=ground.asked,
        leases=ground.asked,
        challenges=desks.challenges,
        openings=desks.openings,
        handovers=desks.handovers,
        probes=desks.probes,
        lease_offers=leasing.lease_offers,
        starts=LeaseStarts(conditions, desks.handovers.roots, leasing.escrow, ground.escrow, accepts, time.time),
        jobs=jobs,
        notebooks=Notebooks(ground.database, jobs),
        wipes=leasing.wipes,
        grace=ground.settings.grace,
        proxy=ReverseProxy(ports),
        guard=RequestGuard(ground.database, ground.escrow, time.time),
        ssh_keys=AuthorisedKeys(ground.database),
        logins=Logins(ground.chain.chain_id, accepts, time.time),
        origins=AnnouncedOrigins(ground.devices, DeviceDirectory(ground.chain, ground.devices).refresh),
        offers=leasing.offers.listed,
        quote=leasing.offers.quote,
        started=started,
        oracle_domain=ground.oracle,
        clock=time.time,
        ready=lambda: bool(status["ready"]),
        status=lambda: status,
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
