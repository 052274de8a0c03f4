"""Opening an epoch, and reading what that fixes."""

from __future__ import annotations

import structlog

from assay.chain.blocks import Block
from assay.protocol.epochs import EpochState, Phase
from assay.validator.context import EpochContext
from assay.validator.rules.deadlines import Deadlines, deadlines
from assay.validator.work import Services

log = structlog.get_logger()


async def open_epoch(services: Services, epoch: int, account: str) -> bool:
    """Returns once the epoch is open at a final block (True) or can be opened no more (False)."""
    follower = services.follower
    limits = deadlines(services.reader.timing, epoch)
    follower.watch(epoch)

    def open_at_head() -> bool:
        return follower.head_phase(epoch) != Phase.NONE

    await services.wake.until(lambda: follower.is_read(epoch), limits.open_by)
    await services.wake.until(open_at_head, limits.start)
    rank = await _rank(services, epoch, account)
    if rank is not None and not await services.wake.until(
        open_at_head,
        min(limits.open_by, max(services.clock.now(), limits.start) + rank * services.pace.stagger_s),
    ):
        while not open_at_head() and services.clock.now() < limits.open_by:
            transaction = await services.writer.open_epoch(epoch)
            if transaction is not None:
                log.info("epoch opened", transaction=transaction.hash, gas=transaction.gas_used)
            await services.wake.until(open_at_head, services.clock.now() + services.pace.grace_s)
    return await _open_at_final(services, epoch, limits)


async def _rank(services: Services, epoch: int, account: str) -> int | None:
    """Turns before this validator's; the epoch's own seed is not known yet. None without a seat."""
    head = services.follower.head
    if head is None:
        return None
    accounts = [seat.account for seat in await services.reader.current_seats(head)]
    return (accounts.index(account) - epoch) % len(accounts) if account in accounts else None


async def _open_at_final(services: Services, epoch: int, limits: Deadlines) -> bool:
    follower = services.follower

    def hopeless() -> bool:
        head = follower.head
        if head is None or not follower.is_read(epoch):
            return False
        return head.timestamp > limits.open_by and follower.head_phase(epoch) == Phase.NONE

    await services.wake.until(lambda: follower.phase(epoch) != Phase.NONE or hopeless(), limits.report_by)
    return follower.phase(epoch) != Phase.NONE


async def read_context(services: Services, epoch: int, account: str) -> EpochContext | None:
    """What the epoch fixed, read at the final block that opened it; None where this account has no seat in
    it.
    """
    final = services.follower.final
    state = services.follower.at_final(epoch)
    if final is None or state is None:
        return None
    opened = await services.reader.opened_block(epoch, final) or final
    seats = await services.reader.seats(state.set_id, opened)
    own = next((i for i, seat in enumerate(seats) if seat.account == account), None)
    if own is None:
        return None
    return await _context(services, epoch, state, opened, own)


async def _context(services: Services, epoch: int, state: EpochState, opened: Block, own: int) -> EpochContext:
    reader = services.reader
    devices = await reader.devices(opened)
    return EpochContext(
        epoch=epoch,
        epoch_seed=state.epoch_seed,
        set_id=state.set_id,
        seats=await reader.seats(state.set_id, opened),
        own=own,
        devices={device.device_id: device for device in devices},
        profiles=await reader.profiles(opened),
        domain=reader.domain,
        deadlines=deadlines(reader.timing, epoch),
        opened=opened,
    )
