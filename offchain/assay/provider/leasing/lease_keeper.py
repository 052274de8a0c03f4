"""Follows this provider's leases block by block: what runs, what is claimed, what is wiped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

import structlog

from assay.chain.contracts.leases import Lease, LeaseStatus
from assay.protocol.types import DeviceId
from assay.provider.cards.hand_over import CardHolder, NoCards
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Unavailable
from assay.provider.leasing.lease_book import LeaseBook, LeaseRow
from assay.provider.leasing.lease_rules import LeasePolicy, LeaseStanding, LeaseStep, ends_from, steps
from assay.provider.leasing.wipe_records import WipeRecords
from assay.provider.offers.lease_offers import LeaseOffers
from assay.provider.offers.terms import ProviderTerms
from assay.provider.pods.lease_pods import LeasePods
from assay.provider.ports import Escrow
from assay.provider.views import Leases
from assay.provider.workloads.jobs import JobBook

RETRY_S = 60.0
MAX_WIPES = 10  # tries until a wipe that leaves something is noted as it is

log = structlog.get_logger()


class LeaseKeeper:
    """Brings what runs here into line with the chain, at every start and every final block.

    `terms` says what the provider wants of its leases. A transaction that fails is put off and holds up nothing else:
    files are wiped and jobs ended whether or not money can be collected.
    """

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        leases: Leases,
        escrow: Escrow,
        jobs: JobBook,
        book: LeaseBook,
        offers: LeaseOffers,
        policy: LeasePolicy,
        wipes: WipeRecords,
        terms: Callable[[], ProviderTerms],
        clock: Callable[[], float],
        cards: CardHolder | None = None,
        pods: LeasePods | None = None,
    ) -> None:
        self._devices = devices
        self._leases = leases
        self._escrow = escrow
        self._jobs = jobs
        self._book = book
        self._offers = offers
        self._policy = policy
        self._wipes = wipes
        self._terms = terms
        self._clock = clock
        self._cards = cards or NoCards()
        self._pods = pods
        self._last_claim: dict[int, float] = {}
        self._stops: dict[int, float] = {}
        self._not_before: dict[tuple[int, LeaseStep], float] = {}
        self._told: set[tuple[int, str]] = set()
        self._over: set[int] = set()
        self._wiping: dict[int, int] = {}
        self._devices_of: dict[int, list[DeviceId]] = {}

    def runs_until(self, lease_id: int) -> float:
        """When a running lease stops, seconds since 1970; 0 for one that does not run."""
        return self._stops.get(lease_id, 0.0)

    def running(self) -> int:
        """How many leases run now."""
        now = self._clock()
        return sum(1 for stop in self._stops.values() if stop > now)

    async def idle(self, device_id: DeviceId) -> bool:
        """Whether the device is free: no active lease, alone or as one of several, or one whose time is over. One that
        its renter has left early is paid for, and keeps the device, until it stops.
        """
        lease_id = await self._leases.active_lease(device_id)
        if not lease_id:
            return True
        lease = await self._leases.lease(lease_id)
        return lease is None or self._clock() >= lease.stop

    async def tick(self) -> None:
        """One round over all unsettled leases. A lease that fails does not hold up the others."""
        self._devices_of = {}
        for device_id in self._devices:
            if lease_id := await self._leases.active_lease(device_id):
                self._book.note(lease_id)
                self._devices_of.setdefault(lease_id, []).append(device_id)
        unsettled = self._book.unsettled()
        known = {row.lease_id for row in unsettled}
        for row in unsettled:
            try:
                await self._attend(row)
            except Exception as error:  # no fault of one lease may end the daemon, or hold up the others
                log.warning("lease not processed", lease=row.lease_id, error=str(error))
        # Jobs of a lease that the chain or the book does not know (any more) have no right to run.
        for lease_id in await asyncio.to_thread(self._jobs.leases_with_running_jobs):
            if lease_id not in known:
                try:
                    await asyncio.to_thread(self._jobs.end_lease, lease_id, "lease over")
                except Exception as error:
                    log.warning("jobs without a lease not ended", lease=lease_id, error=str(error))
        await self._sweep()
        # Last: what ran on a card has been ended by now.
        leased = [one for devices in self._devices_of.values() for one in devices if not await self.idle(one)]
        await self._cards.settle(leased)

    async def _sweep(self) -> None:
        """Ends what runs on although its lease is over or unknown, or nobody keeps it."""
        may_run = {row.lease_id for row in self._book.unsettled()} - self._over
        try:
            await asyncio.to_thread(self._jobs.sweep, lambda lease_id: lease_id in may_run)
        except Exception as error:
            log.warning("could not check for what runs on without its lease", error=str(error))

    async def _attend(self, row: LeaseRow) -> None:
        lease = await self._leases.lease(row.lease_id)
        if lease is None:
            return
        self._tell(lease)
        terms = self._terms()
        pending = lease.status is LeaseStatus.PENDING
        standing = LeaseStanding(
            lease=lease,
            claimable=0 if pending else await self._escrow.claimable(row.lease_id),
            bond=0 if pending else await self._escrow.bond_returnable(row.lease_id),
            last_claim=self._last_claim.get(row.lease_id, float(lease.start)),
            wiped_at=row.wiped_at,
            chain_time=await self._leases.time(),
            notice_wanted=row.lease_id in terms.notices,
            release_wanted=row.lease_id in terms.releases,
            end_wanted=row.lease_id in terms.ends,
        )
        failed = False
        for step in steps(standing, self._clock(), self._policy):
            if self._clock() < self._not_before.get((row.lease_id, step), 0.0) or (failed and step is LeaseStep.SETTLE):
                continue
            try:
                await self._do(step, lease)
            except Exception as error:
                failed = True
                self._not_before[(row.lease_id, step)] = self._clock() + RETRY_S
                what = step.name.lower().replace("_", " ")
                log.warning(
                    "an action for a lease failed", lease=row.lease_id, step=what, again_in_s=RETRY_S, error=str(error)
                )
        if not pending:
            await self._offers.of(lease)  # kept while the node still has the log of its opening

    def _tell(self, lease: Lease) -> None:
        """Says once what befell a lease that the provider may want to look at."""
        if lease.left_early:
            self._once(lease, "its renter has left early and pays on: `assay provider release` frees the devices")
        if lease.forfeitable:
            self._once(lease, "a device was slashed, or down for too long: its renter may leave free")

    def _once(self, lease: Lease, what: str) -> None:
        if (lease.lease_id, what) not in self._told:
            self._told.add((lease.lease_id, what))
            log.warning(what, lease=lease.lease_id, stop=lease.stop, forfeitable=lease.forfeitable)

    async def _do(self, step: LeaseStep, lease: Lease) -> None:
        lease_id, stop = lease.lease_id, float(lease.stop)
        match step:
            case LeaseStep.RUN:
                if lease_id not in self._stops:  # before anything of the renter's runs, after a restart too
                    await self._cards.release(self._devices_of.get(lease_id, []))
                if self._pods is not None:
                    await asyncio.to_thread(self._pods.belongs_to, lease_id, lease.renter)
                self._stops[lease_id] = stop
                self._over.discard(lease_id)
                await asyncio.to_thread(self._jobs.extend, lease_id, stop)
                if self._pods is not None:
                    await asyncio.to_thread(self._pods.follow, lease_id, stop)
            case LeaseStep.KILL:
                self._stops.pop(lease_id, None)
                self._over.add(lease_id)
                if self._pods is not None:
                    await asyncio.to_thread(self._pods.stop, lease_id, "lease over")
                if count := await asyncio.to_thread(self._jobs.end_lease, lease_id, "lease over"):
                    log.info("jobs ended with their lease", lease=lease_id, jobs=count)
            case LeaseStep.GIVE_NOTICE:
                mined = await self._escrow.give_notice(lease)
                log.info("notice given", lease=lease_id, seconds=lease.notice, transaction=mined.hash)
            case LeaseStep.END:
                mined = await self._escrow.end(lease)
                log.info("lease ended", lease=lease_id, notice_until=ends_from(lease), transaction=mined.hash)
            case LeaseStep.RELEASE:
                mined = await self._escrow.release(lease)
                log.info("lease released", lease=lease_id, transaction=mined.hash)
            case LeaseStep.CLAIM:
                mined = await self._escrow.claim(lease_id)
                self._last_claim[lease_id] = self._clock()
                log.info("rent claimed", lease=lease_id, transaction=mined.hash)
            case LeaseStep.RETURN_BOND:
                mined = await self._escrow.return_bond(lease_id)
                log.info("bond returned", lease=lease_id, transaction=mined.hash)
            case LeaseStep.WIPE:
                removed = await asyncio.to_thread(self._jobs.wipe, lease_id)
                self._wiping[lease_id] = self._wiping.get(lease_id, 0) + 1
                if removed.entries_left and self._wiping[lease_id] < MAX_WIPES:
                    raise Unavailable(f"{removed.entries_left} entries would not go")
                record = self._wipes.note(lease_id, removed, int(self._clock()))
                self._book.wiped(lease_id, record.wiped_at)
                log.info("files wiped", lease=lease_id, **asdict(removed))
            case LeaseStep.SETTLE:
                self._book.settle(lease_id)
                self._forget(lease_id)
                log.info("lease settled", lease=lease_id)

    def _forget(self, lease_id: int) -> None:
        self._last_claim.pop(lease_id, None)
        self._wiping.pop(lease_id, None)
        self._over.discard(lease_id)
        self._not_before = {key: until for key, until in self._not_before.items() if key[0] != lease_id}
        self._told = {key for key in self._told if key[0] != lease_id}
