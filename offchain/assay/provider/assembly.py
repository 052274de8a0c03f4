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
from assay.chain.contracts.leases import LeaseStatus, read_offer
from assay.chain.key_files import Key
from assay.chain.rpc.client import Chain
from assay.chain.transactions.sender import Sender
from assay.daemon.metrics import metrics_text
from assay.network.addresses import private_allowed
from assay.network.client import Client
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId, Root, Seed
from assay.provider.access.announced_origins import AnnouncedOrigins
from assay.provider.access.authorised_keys import AuthorisedKeys
from assay.provider.access.lease_ports import LeasePorts
from assay.provider.access.logins import Logins
from assay.provider.access.notebooks import Notebooks
from assay.provider.access.pod_tools import PodTools
from assay.provider.access.request_signatures import RequestGuard
from assay.provider.access.reverse_proxy import ReverseProxy
from assay.provider.access.ssh_forwards import AgentFolders
from assay.provider.access.ssh_programs import PodPrograms, Shells
from assay.provider.account.authority import Authority, scope_names
from assay.provider.api.services import Services
from assay.provider.backups.lease_backups import LeaseBackups
from assay.provider.cards.host import HostCards, host_cards
from assay.provider.cards.metrics import CardCollector
from assay.provider.cards.provers import Provers
from assay.provider.cards.tasks import Task, Urgency
from assay.provider.chain_view import ChainView
from assay.provider.clusters.clusters import Clusters
from assay.provider.connection import KeyJournal, connect
from assay.provider.database import open_database
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.registered import device_keys, load_devices, started_prices
from assay.provider.devices.specifications import Specifications
from assay.provider.endpoints.assemble import make_endpoints
from assay.provider.endpoints.traffic import EndpointCollector
from assay.provider.errors import Conflict
from assay.provider.images.assemble import HostImages, image_policy, make_images
from assay.provider.images.lease_pod_control import LeasePodControl
from assay.provider.leasing.escrow_sender import EscrowSender
from assay.provider.leasing.handover_service import HandoverService
from assay.provider.leasing.lease_book import LeaseBook
from assay.provider.leasing.lease_keeper import LeaseKeeper
from assay.provider.leasing.lease_rules import LeasePolicy, runs
from assay.provider.leasing.lease_starts import LeaseStarts, StartConditions
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.measurement.challenge_service import ChallengeService
from assay.provider.measurement.commitments import CommitmentStore
from assay.provider.measurement.demand_sender import DemandSender
from assay.provider.measurement.demand_service import DemandService
from assay.provider.measurement.lane_commitments import LaneCommitmentStore
from assay.provider.measurement.openings_service import OpeningsService
from assay.provider.measurement.probe_service import ProbeService
from assay.provider.offers.bonds import Bonds
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.offers.offer_service import OfferService
from assay.provider.offers.offers import OfferMaker
from assay.provider.offers.terms import TermsFile
from assay.provider.pods.assemble import job_limits, make_pods, pod_limits, tell_without_pods
from assay.provider.pods.lease_pods import LeasePart, LeasePods
from assay.provider.pods.network_rules import NetworkPolicy
from assay.provider.pods.runtime import PodDisks, PodRuntime
from assay.provider.retention import Retention
from assay.provider.runtime.container import ContainerRuntime
from assay.provider.runtime.selection import RuntimeChoice, select_runtime
from assay.provider.runtime.workload import Runtime
from assay.provider.settings import ProviderSettings
from assay.provider.views import EpochView
from assay.provider.watch import metrics
from assay.provider.watch.account_view import AccountView
from assay.provider.watch.metrics import ProviderWatch
from assay.provider.watch.proof_meter import ProofMeter
from assay.provider.watch.results import EpochResults
from assay.provider.watch.use import LeaseUse, UseCollector
from assay.provider.workloads.disk_volumes import Disks, choose_disks
from assay.provider.workloads.jobs import JobBook, OpenShells, Share


@dataclass
class Parts:
    """A provider's process, assembled; `ready` becomes true with the first round over its leases."""

    chain: Chain
    held: KeyJournal
    sender: Sender
    view: ChainView
    cards: HostCards
    keeper: LeaseKeeper
    demands: DemandService
    offers: OfferService
    shells: Shells | PodPrograms
    agents: AgentFolders | None
    ports: LeasePorts
    services: Services
    devices: dict[DeviceId, OwnDevice]
    authority: Authority
    retention: Retention
    images: HostImages | None
    status: dict[str, Any]
    watch: ProviderWatch

    async def close(self) -> None:
        """Lets go of the workers, the journal and the connections."""
        if self.images is not None:
            await self.images.close()
        await self.services.proxy.close()
        await self.watch.results.client.close()
        self.ports.close()
        await self.cards.close()
        self.held.close()
        await self.chain.close()

    async def note_images(self) -> None:
        """Ends pulls that nobody waits for any more, and tells in the status what the cache holds."""
        if self.images is None:
            return
        if self.images.leases is not None:
            await self.images.leases.sweep(self._may_want_an_image)
        self.status["images"] = await self.images.images.status()

    async def _may_want_an_image(self, lease_id: int) -> bool:
        lease = await self.view.lease(lease_id)
        # One that is not final yet is not known, and is not gone either.
        return lease is None or lease.status in (LeaseStatus.NONE, LeaseStatus.PENDING) or runs(lease, time.time())

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
    chain, key, held = await connect(settings)
    try:
        return await _parts(settings, chain, key, held)
    except BaseException:
        held.close()
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


async def _parts(settings: ProviderSettings, chain: Chain, key: Key, held: KeyJournal) -> Parts:
    runtime = select_runtime(runtime_choice(settings), chain.chain_id)
    ground = await _ground(settings, chain, key, held)
    cards = await host_cards(settings, chain, ground.devices, runtime.name)
    images = make_images(settings, runtime.engine, ground.database) if isinstance(runtime, ContainerRuntime) else None
    pods = _pods(ground, runtime, cards, images)
    if pods is not None and isinstance(runtime, ContainerRuntime):
        runtime = PodRuntime(runtime, pods)
    open_shells = OpenShells()
    jobs = _jobs(ground, runtime, open_shells, cards, pods)
    leasing = await _leasing(ground, jobs, cards, pods)
    if pods is not None and images is not None:
        book = ground.book
        control = LeasePodControl(pods, leasing.keeper.runs_until, lambda: [row.lease_id for row in book.unsettled()])
        images.serve(control, settings.image_unpaid)
    shells = _shells(settings, runtime, jobs, leasing.keeper, open_shells, pods)
    ports = _ports(runtime, jobs, shells)
    meter = ProofMeter()
    desks = _desks(ground, cards.provers, leasing, meter)
    status = _first_status(ground, cards, runtime, jobs)
    status["demands"] = desks.demands.status
    watch = _watch(ground, leasing, status, meter)
    return Parts(
        chain=chain,
        held=held,
        sender=ground.sender,
        view=ground.view,
        cards=cards,
        keeper=leasing.keeper,
        demands=desks.demands,
        offers=leasing.offers,
        shells=shells,
        agents=None if pods is None else AgentFolders(pods.pods),
        ports=ports,
        services=_services(ground, leasing, desks, jobs, ports, cards, images, pods, status, watch),
        images=images,
        devices=ground.devices,
        authority=ground.authority,
        retention=Retention(ground.database, await read_timing(chain), settings.keep_epochs),
        status=status,
        watch=watch,
    )


async def _ground(settings: ProviderSettings, chain: Chain, key: Key, held: KeyJournal) -> _Ground:
    authority = Authority(chain, settings.provider or key.address, key.address)
    devices = await load_devices(chain, authority.provider, device_keys(settings), Specifications(settings.data_dir))
    database = open_database(settings.data_dir / "provider.sqlite")
    return _Ground(
        settings=settings,
        chain=chain,
        key=key,
        sender=Sender(chain, key, held.journal, poll_s=settings.poll_seconds),
        authority=authority,
        devices=devices,
        database=database,
        view=ChainView(chain, authority.provider, for_strangers=False),
        asked=ChainView(chain, authority.provider, for_strangers=True),
        book=LeaseBook(database),
        terms=TermsFile(settings.data_dir),
    )


def _pods(ground: _Ground, runtime: Runtime, cards: HostCards, images: HostImages | None) -> LeasePods | None:
    """The pods of leases, where the runtime is containers. Raises RuntimeUnavailable, BadProviderSetting."""
    settings = ground.settings
    if not isinstance(runtime, ContainerRuntime) or images is None:
        tell_without_pods(ground.devices)
        return None

    def part(lease_id: int) -> LeasePart:
        offer = ground.book.offer(lease_id)
        return LeasePart((), ()) if offer is None else LeasePart(offer.device_ids, cards.names(offer.device_ids))

    return make_pods(settings, runtime.engine, ground.database, ground.devices, part, lambda: images.own)


def _jobs(ground: _Ground, runtime: Runtime, shells: OpenShells, cards: HostCards, pods: LeasePods | None) -> JobBook:
    settings = ground.settings
    # Without walls around its jobs a machine is a developer's: nothing is mounted there unless it is asked for.
    choice = "watched" if settings.disk == "auto" and runtime.name == "local" else settings.disk
    disks: Disks = (
        PodDisks(pods) if pods is not None else choose_disks(choice, settings.data_dir / "leases", settings.job_disk)
    )

    def share(lease_id: int) -> Share:
        offer = ground.book.offer(lease_id)
        return Share() if offer is None else Share(len(offer.device_ids), cards.names(offer.device_ids))

    limits = job_limits(settings) if pods is None else pod_limits(job_limits(settings), pods.smallest)
    jobs = JobBook(ground.database, runtime, settings.data_dir, limits, time.time, disks, share, shells)
    jobs.restore()
    return jobs


async def _leasing(ground: _Ground, jobs: JobBook, cards: HostCards, pods: LeasePods | None) -> _Leasing:
    settings, chain, authority = ground.settings, ground.chain, ground.authority
    escrow = EscrowSender(chain, ground.sender, authority, settings.receiver)
    bonds = Bonds(chain, authority)
    lease_offers = LeaseOffers(ground.book, partial(read_offer, chain), authority.provider)
    holdback = int(await chain.call("LeaseEscrow", "holdback"))
    policy = LeasePolicy(claim_every=settings.claim_every, grace=settings.grace, holdback=holdback)
    wipes = WipeRecords(ground.database, ground.escrow, ground.key.sign_digest)
    view, book, terms = ground.view, ground.book, ground.terms
    keeper = LeaseKeeper(
        ground.devices,
        view,
        escrow,
        jobs,
        book,
        lease_offers,
        policy,
        wipes,
        terms.read,
        time.time,
        cards=cards.hand_over,
        pods=pods,
    )
    prices = await started_prices(settings, chain, ground.devices)
    maker = OfferMaker(authority.provider, authority.operator, ground.escrow, ground.key.sign_digest, time.time)
    sizes, obstacle = settings.node_sizes, cards.obstacle
    offers = OfferService(chain, ground.sender, ground.devices, prices, maker, terms, authority, bonds, obstacle, sizes)
    return _Leasing(escrow, bonds, lease_offers, wipes, keeper, offers)


def _shells(
    settings: ProviderSettings,
    runtime: Runtime,
    jobs: JobBook,
    keeper: LeaseKeeper,
    shells: OpenShells,
    pods: LeasePods | None,
) -> Shells | PodPrograms:
    """Where SSH's programs run: in pods where leases have them."""
    if pods is not None:
        tools = PodTools(settings.data_dir / "pod-tools")
        tools.gather()

        def ready(lease_id: int) -> None:
            if not (until := keeper.runs_until(lease_id)) > time.time():
                raise Conflict(f"lease {lease_id} has ended")
            pods.ready(lease_id, until)

        return PodPrograms(pods.pods, ready, tools, keeper.runs_until, time.time, shells)
    return Shells(
        runtime,
        lambda lease_id, command: jobs.shell_workload(lease_id, keeper.runs_until(lease_id), command),
        keeper.runs_until,
        time.time,
        shells,
        jobs.most_workloads,
    )


def _ports(runtime: Runtime, jobs: JobBook, shells: Shells | PodPrograms) -> LeasePorts:
    return LeasePorts(
        lambda lease_id: runtime.rooms(
            jobs.workspace(lease_id),
            [*(("shell", pid) for pid in shells.processes(lease_id)), *jobs.supervisors(lease_id)],
        )
    )


def _desks(ground: _Ground, prover: Provers, leasing: _Leasing, meter: ProofMeter) -> _Desks:
    async def root_of(task: Task) -> Root:
        return (await prover.prove(task)).result_root

    async def walk(task: Task, challenge: bytes) -> tuple[Root, Root]:
        walked = await prover.probe(task, challenge, Urgency.CHALLENGE)
        return walked.result_root, walked.lane_root

    async def prove(device: OwnDevice, epoch: EpochView, seed: Seed) -> Root:
        task = Task(device.profile, epoch.epoch_seed, seed, device.place)
        return (await meter.timed(prover.prove(task, Urgency.CHALLENGE))).result_root

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


def _first_status(ground: _Ground, cards: HostCards, runtime: Runtime, jobs: JobBook) -> dict[str, Any]:
    return {
        "provider": ground.authority.provider,
        "signer": ground.authority.signer,
        "devices": [device.name for device in ground.devices.values()],
        "engine": ground.settings.engine,
        "cards": cards.status(),
        "runtime": runtime.name,
        "disk": jobs.disk,
        "egress": ground.settings.egress_policy,
        "ready": False,
    }


def _services(
    ground: _Ground,
    leasing: _Leasing,
    desks: _Desks,
    jobs: JobBook,
    ports: LeasePorts,
    cards: HostCards,
    images: HostImages | None,
    pods: LeasePods | None,
    status: dict[str, Any],
    watch: ProviderWatch,
) -> Services:
    use = None if pods is None else LeaseUse(pods.pods, cards.uuids(), cards.watch.activity)
    endpoints = None if pods is None else make_endpoints(ground.settings, pods.pods)
    of_pods = [UseCollector(use.history, pods.made_shares)] if use and pods else []
    of_endpoints = [EndpointCollector(endpoints.counted)] if endpoints else []
    collected = metrics.registry(watch, CardCollector(cards), *of_pods, *of_endpoints)
    accepts = partial(contract_accepts, ground.chain)
    conditions = StartConditions(ground.chain, ground.authority, leasing.bonds, cards.obstacle)
    return Services(
        devices=ground.devices,
        epochs=ground.asked,
        leases=ground.asked,
        challenges=desks.challenges,
        openings=desks.openings,
        handovers=desks.handovers,
        probes=desks.probes,
        lease_offers=leasing.lease_offers,
        starts=LeaseStarts(
            conditions,
            desks.handovers.roots,
            leasing.escrow,
            ground.escrow,
            accepts,
            time.time,
            cards.hand_over.starting,
        ),
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
        started=lambda lease: ground.book.note(lease.lease_id),
        oracle_domain=ground.oracle,
        clock=time.time,
        ready=lambda: bool(status["ready"]),
        status=lambda: {**status, "cards": cards.status()},
        metrics=lambda: metrics_text(collected),
        cards=cards,
        images=images.leases if images else None,
        pod_control=images.control if images else None,
        use=use,
        clusters=None
        if pods is None
        else Clusters(pods.pods, ports, leasing.keeper.runs_until, ground.settings.data_dir / "ssh"),
        endpoints=endpoints,
        backups=None if pods is None else LeaseBackups(pods.pods),
    )


def _watch(ground: _Ground, leasing: _Leasing, status: dict[str, Any], meter: ProofMeter) -> ProviderWatch:
    allow_private = private_allowed(ground.chain.chain_id, ground.settings.allow_private)
    client = Client.over_network(allow_private=allow_private)
    results = EpochResults(ground.chain, client, lambda: ground.devices)
    return ProviderWatch(status, leasing.keeper.running, meter, results, AccountView())


def runtime_choice(settings: ProviderSettings) -> RuntimeChoice:
    """What the settings say about running workloads."""
    return RuntimeChoice(
        name=settings.runtime,
        engine=settings.container_engine,
        images=image_policy(settings),
        egress=NetworkPolicy.parse(settings.egress_policy).by_proxy(),
    )
