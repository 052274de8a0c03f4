"""Opening an epoch, and reading what that fixes."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from assay.chain.blocks import Block
from assay.protocol.epochs import EpochState, Phase
from assay.validator.context import EpochContext
from assay.validator.follower import Follower
from assay.validator.pace import Pace
from assay.validator.ports import ChainReader, ChainWriter, Clock
from assay.validator.rules.deadlines import Deadlines, deadlines
from assay.validator.wake import Wake

log = structlog.get_logger()


@dataclass(frozen=True)
class Opening:
    """Until an epoch is open only its number is known, and whose seat this is."""

    epoch: int
    account: str
    reader: ChainReader
    writer: ChainWriter
    follower: Follower
    clock: Clock
    wake: Wake
    pace: Pace

    async def open(self) -> bool:
        """Returns once the epoch is open at a final block (True) or can be opened no more (False)."""
        follower = self.follower
        limits = deadlines(self.reader.timing, self.epoch)
        follower.watch(self.epoch)

        def open_at_head() -> bool:
            return follower.head_phase(self.epoch) != Phase.NONE

        await self.wake.until(lambda: follower.is_read(self.epoch), limits.open_by)
        await self.wake.until(open_at_head, limits.start)
        rank = await self._rank()
        if rank is not None and not await self.wake.until(
            open_at_head,
            min(limits.open_by, max(self.clock.now(), limits.start) + rank * self.pace.stagger_s),
        ):
            while not open_at_head() and self.clock.now() < limits.open_by:
                transaction = await self.writer.open_epoch(self.epoch)
                if transaction is not None:
                    log.info("epoch opened", transaction=transaction.hash, gas=transaction.gas_used)
                await self.wake.until(open_at_head, self.clock.now() + self.pace.grace_s)
        return await self._open_at_final(limits)

    async def _rank(self) -> int | None:
        """Turns before this validator's; the epoch's own seed is not known yet. None without a seat."""
        head = self.follower.head
        if head is None:
            return None
        accounts = [seat.account for seat in await self.reader.current_seats(head)]
        return (accounts.index(self.account) - self.epoch) % len(accounts) if self.account in accounts else None

    async def _open_at_final(self, limits: Deadlines) -> bool:
        follower = self.follower

        def hopeless() -> bool:
            head = follower.head
            if head is None or not follower.is_read(self.epoch):
                return False
            return head.timestamp > limits.open_by and follower.head_phase(self.epoch) == Phase.NONE

        await self.wake.until(lambda: follower.phase(self.epoch) != Phase.NONE or hopeless(), limits.report_by)
        return follower.phase(self.epoch) != Phase.NONE

    async def read_context(self) -> EpochContext | None:
        """What the epoch fixed, read at the final block that opened it; None where this account has no seat in it."""
        final = self.follower.final
        state = self.follower.at_final(self.epoch)
        if final is None or state is None:
            return None
        opened = await self.reader.opened_block(self.epoch, final) or final
        seats = await self.reader.seats(state.set_id, opened)
        own = next((i for i, seat in enumerate(seats) if seat.account == self.account), None)
        if own is None:
            return None
        return await self._context(state, opened, own)

    async def _context(self, state: EpochState, opened: Block, own: int) -> EpochContext:
        reader = self.reader
        devices = await reader.devices(opened)
        return EpochContext(
            epoch=self.epoch,
            epoch_seed=state.epoch_seed,
            set_id=state.set_id,
            seats=await reader.seats(state.set_id, opened),
            own=own,
            devices={device.device_id: device for device in devices},
            profiles=await reader.profiles(opened),
            domain=reader.domain,
            deadlines=deadlines(reader.timing, self.epoch),
            opened=opened,
        )
