"""Follows this provider's leases block by block: what runs, what is claimed, what is wiped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

import structlog

from assay.chain.errors import ChainError
from assay.chain.leases import LeaseStatus
from assay.provider.device import Device
from assay.provider.jobs import JobBook
from assay.provider.lease_book import LeaseBook, LeaseRow
from assay.provider.lease_rules import Policy, Standing, Step, steps
from assay.provider.ports import Escrow
from assay.provider.views import Leases
from assay.provider.wipe_records import WipeRecords

log = structlog.get_logger()


class LeaseKeeper:
    """Brings what runs here into line with the chain, at every start and every final block."""

    def __init__(
        self,
        devices: Mapping[bytes, Device],
        leases: Leases,
        escrow: Escrow,
        jobs: JobBook,
        book: LeaseBook,
        policy: Policy,
        wipes: WipeRecords,
        clock: Callable[[], float],
    ) -> None:
        self._devices = devices
        self._leases = leases
        self._escrow = escrow
        self._jobs = jobs
        self._book = book
        self._policy = policy
        self._wipes = wipes
        self._clock = clock
        self._last_claim: dict[int, float] = {}
        self._stops: dict[int, float] = {}

    def runs_until(self, lease_id: int) -> float:
        """When a running lease stops, seconds since 1970; 0 for one that does not run."""
        return self._stops.get(lease_id, 0.0)

    async def idle(self, device_id: bytes) -> bool:
        """Whether the device is free: no active lease, or one whose time is over."""
        lease_id = await self._leases.active_lease(device_id)
        if not lease_id:
            return True
        lease = await self._leases.lease(lease_id)
        return lease is None or self._clock() >= lease.stop

    async def tick(self) -> None:
        """One round over all unsettled leases. A lease that fails does not hold up the others."""
        for device_id in self._devices:
            if lease_id := await self._leases.active_lease(device_id):
                self._book.note(lease_id, device_id)
        unsettled = self._book.unsettled()
        known = {row.lease_id for row in unsettled}
        for row in unsettled:
            try:
                await self._attend(row)
            except ChainError as error:
                log.warning("lease not attended to", lease=row.lease_id, error=str(error))
        # Jobs of a lease that the chain or the book does not know (any more) have no right to run.
        for lease_id in await asyncio.to_thread(self._jobs.leases_with_running_jobs):
            if lease_id not in known:
                await asyncio.to_thread(self._jobs.end_lease, lease_id, "lease over")

    async def _attend(self, row: LeaseRow) -> None:
        lease = await self._leases.lease(row.lease_id)
        if lease is None:
            return
        pending = lease.status is LeaseStatus.PENDING
        standing = Standing(
            lease=lease,
            claimable=0 if pending else await self._escrow.claimable(row.lease_id),
            bond=0 if pending else await self._escrow.bond_returnable(row.lease_id),
            last_claim=self._last_claim.get(row.lease_id, float(lease.start)),
            wiped_at=row.wiped_at,
        )
        for step in steps(standing, self._clock(), self._policy):
            await self._do(step, row.lease_id, float(lease.stop))

    async def _do(self, step: Step, lease_id: int, stop: float) -> None:
        match step:
            case Step.RUN:
                self._stops[lease_id] = stop
                await asyncio.to_thread(self._jobs.extend, lease_id, stop)
            case Step.KILL:
                self._stops.pop(lease_id, None)
                if count := await asyncio.to_thread(self._jobs.end_lease, lease_id, "lease over"):
                    log.info("jobs ended with their lease", lease=lease_id, jobs=count)
            case Step.CLAIM:
                mined = await self._escrow.claim(lease_id)
                self._last_claim[lease_id] = self._clock()
                log.info("rent claimed", lease=lease_id, transaction=mined.hash)
            case Step.RETURN_BOND:
                mined = await self._escrow.return_bond(lease_id)
                log.info("bond returned", lease=lease_id, transaction=mined.hash)
            case Step.WIPE:
                removed = await asyncio.to_thread(self._jobs.wipe, lease_id)
                record = self._wipes.note(lease_id, removed, int(self._clock()))
                self._book.wiped(lease_id, record.wiped_at)
                log.info("files wiped", lease=lease_id, **asdict(removed))
            case Step.SETTLE:
                self._book.settle(lease_id)
                log.info("lease settled", lease=lease_id)
