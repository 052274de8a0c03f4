"""Batches that this seat lacks: those that a report names, and those that only some seats were told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from pydantic import ValidationError

from assay.daemon.ending import end_tasks
from assay.protocol.types import Rho
from assay.validator.context import EpochContext
from assay.validator.errors import Refused
from assay.validator.peers.admission import admit_batch
from assay.validator.peers.gossip import Gossiper
from assay.validator.ports import Clock
from assay.validator.rules.values import Batch
from assay.validator.storage.record import EpochRecord, HeldBatch
from assay.validator.wake import Wake
from assay.wire.gossip import BatchMessage, NamedBatch, ReportProposal
from assay.wire.limits import MAX_CONTENT_BYTES

log = structlog.get_logger()


@dataclass(frozen=True)
class BatchExchange:
    """A batch counts by its seat's signature, whoever has it."""

    context: EpochContext
    record: EpochRecord
    gossip: Gossiper
    clock: Clock
    wake: Wake

    async def named(self, proposal: ReportProposal, rho: Rho, ends: float) -> list[Batch]:
        """The batches that a report names. Raises Refused where one is not to be had by `ends`, Unix seconds."""
        asked = (self._named(one, proposal.seat, rho, ends) for one in proposal.batches)
        batches = []
        for held in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(held, BaseException):
                raise held
            batches.append(held.batch)
        return batches

    async def fetch_missing(self, rho: Rho, deadline: float) -> None:
        """Asks the other seats for batches of seats that have told this one nothing.

        A report may leave out none that a signer holds: a seat that tells some seats only would else have refused what
        everybody else proposes. Not waited for are the seats that told nothing.
        """
        context, record = self.context, self.record
        missing = {seat.account for i, seat in enumerate(context.seats) if i not in record.batches}
        tasks = {a: asyncio.create_task(self._missing_at(a, missing, rho)) for a in context.others}
        told = [task for account, task in tasks.items() if account not in missing]
        try:
            await self.wake.until(
                lambda: len(record.batches) == context.n or all(task.done() for task in told), deadline
            )
        finally:
            await end_tasks(tasks.values())

    async def _missing_at(self, account: str, missing: set[str], rho: Rho) -> None:
        index = await self.gossip.index(account, self.context.epoch)
        listed = {} if index is None else {batch.seat: batch for batch in index.batches if batch.seat in missing}
        for seat, batch in listed.items():
            if self.context.seat_of(seat) in self.record.batches:
                continue
            body = await self.gossip.content(account, batch.content, MAX_CONTENT_BYTES)
            try:
                if body is not None:
                    admit_batch(self.record, BatchMessage.parse(body), rho, self.clock.now())
            except (ValidationError, Refused) as error:
                log.info("batch refused", peer=account, seat=seat, reason=str(error)[:200])
        self.wake.notify()

    async def _named(self, named: NamedBatch, leader: str, rho: Rho, ends: float) -> HeldBatch:
        seat = self.context.seat_of(named.seat)
        known = None if seat is None else self.record.by_digest.get((seat, named.digest))
        if known is not None:
            return known
        # Its leader may serve it to some seats only, who carry the report on.
        holders = dict.fromkeys([leader, named.seat, *self.context.others])
        holders.pop(self.context.account, None)
        body = await self.gossip.fetch(holders, named.content, MAX_CONTENT_BYTES, ends)
        if body is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"the batch of {named.seat} could not be fetched")
        try:
            message = BatchMessage.parse(body)
        except ValidationError:
            reason = f"the content named for {named.seat} is no batch"
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, reason) from None
        held = admit_batch(self.record, message, rho, self.clock.now(), named=True)
        if held.batch.digest != named.digest or message.seat != named.seat:
            reason = f"the content named for {named.seat} is another batch"
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, reason)
        return held
