"""Joins a renter's wallet to the moving of one lease."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.chain.contracts.leases import Lease, LeaseStatus, read_lease
from assay.protocol.hexadecimal import to_hex
from assay.protocol.rates import cost
from assay.renter.backups.lease_backups import begin_backup, begin_restore, follow
from assay.renter.errors import NoDevice, RenterError, Unreachable
from assay.renter.lease.steps import Step
from assay.renter.market.listing import Listing
from assay.renter.market.search import Order, Wanted
from assay.renter.money.wallet import Minima
from assay.renter.moves.move_files import MoveFiles, MoveState
from assay.renter.moves.mover import MoveActions
from assay.renter.renter import Renter
from assay.renter.session.pod_images import choose_and_follow
from assay.wire.pods import PodBody
from assay.wire.storage.backups import RepositoryBody

FINAL_S = 900.0
LOOK_S = 0.5
MANY = 100
OPEN = (LeaseStatus.PENDING, LeaseStatus.ACTIVE)


@dataclass(frozen=True)
class MoveWishes:
    """What a person wants of a move beside where to. `environment` is the pod's, which its provider does not tell."""

    repository: RepositoryBody
    minima: Minima
    environment: dict[str, str]
    on_step: Callable[[Step], None]
    tell: Callable[[str], None]


async def next_listing(
    renter: Renter, wanted: Wanted, order: Order, old: Lease, seconds: int, budget: int, elsewhere: bool
) -> Listing:
    """The best offer in the old lease's token whose deposit is within the budget, of another provider where it is to be
    `elsewhere`. Raises NoDevice."""
    found = await renter.search(wanted, order, verify=True, limit=MANY)
    for one in found:
        fits = one.min_duration <= seconds <= one.max_duration and cost(one.rate, seconds) <= budget
        same_token = one.token.lower() == old.token.lower()
        if fits and same_token and not (elsewhere and one.provider.lower() == old.provider.lower()):
            return one
    raise NoDevice(f"none of {len(found)} offers that answer to this is within the budget for {seconds} s")


def ended(lease: Lease, now: float) -> bool:
    """Whether nothing of it runs any more, and nothing can be made to."""
    return lease.status not in OPEN or lease.left_early or now >= lease.stop > 0


def actions_of(renter: Renter, files: MoveFiles, listing: Listing | None, wishes: MoveWishes) -> MoveActions:
    """A move with the renter's wallet; `listing` is what is rented, None where that was chosen before."""

    def pod(state: MoveState, started: bool) -> PodBody | None:
        if state.image is None:
            return None
        start = list(state.start) if started else []
        return PodBody(
            image=state.image, digest=state.digest, start=start, ports=list(state.ports), environment=wishes.environment
        )

    async def adopt(state: MoveState) -> int | None:
        if listing is not None:
            return None  # begun just now: nothing was opened before
        # Leases are listed at final blocks: what the try before has sent is in one of them by then.
        head, until = await renter.chain.head(), renter.clock() + FINAL_S
        while (await renter.chain.finalised()).number < head.number:
            if renter.clock() > until:
                raise Unreachable(f"block {head.number} is not final after {FINAL_S:.0f} s")
            await renter.sleep(LOOK_S)
        for view in await renter.own_leases(lambda lease: lease.status in OPEN):
            lease, offer = view.lease, view.offer
            if lease.lease_id in state.known or offer is None:
                continue
            if tuple(to_hex(one) for one in offer.device_ids) == state.devices:
                if lease.status is LeaseStatus.PENDING:
                    wishes.tell(f"lease {lease.lease_id} was opened before this was broken off: going on with it")
                    await renter.resume(lease.lease_id, wishes.on_step, pod(state, False), wishes.tell)
                return lease.lease_id
        return None

    async def rent(state: MoveState) -> int:
        chosen = listing
        if chosen is None:
            first = next(iter(state.devices))
            chosen = await renter.listing(await renter.device_id(first), len(state.devices))
        deposit = cost(chosen.rate, state.seconds)
        rented = await renter.rent(chosen, deposit, wishes.minima, wishes.on_step, pod(state, False), wishes.tell)
        return rented.lease.lease_id

    async def back_up(old: int) -> None:
        session = await renter.session(old)
        await follow(session, await begin_backup(session, wishes.repository, None), wishes.tell)

    async def restore(new: int, old: int) -> None:
        session = await renter.session(new)
        await _until_pod_runs(renter, new)
        await follow(session, await begin_restore(session, wishes.repository, "latest", old), wishes.tell)

    async def end(old: int) -> None:
        if not ended(await renter.lease(old), renter.clock()):
            await renter.end(old)
        until = renter.clock() + FINAL_S
        while not ended(await read_lease(renter.chain, old, at=await renter.chain.finalised()), renter.clock()):
            if renter.clock() > until:
                raise Unreachable(f"its end is not final after {FINAL_S:.0f} s")
            await renter.sleep(LOOK_S)
        if await renter.refundable(old):
            await renter.refund(old)

    async def give_up(new: int) -> None:
        await renter.end(new)
        if await renter.refundable(new):
            await renter.refund(new)

    async def start(state: MoveState) -> None:
        wanted = pod(state, True)
        if wanted is not None and wanted.start and state.new is not None:
            await choose_and_follow(await renter.session(state.new), wanted, wishes.tell, renter.sleep)

    return MoveActions(adopt, rent, back_up, restore, end, give_up, start, files.write, files.remove, wishes.tell)


async def _until_pod_runs(renter: Renter, lease_id: int) -> None:
    """Returns once files can be put there. Raises Unreachable."""
    session, until = await renter.session(lease_id), renter.clock() + FINAL_S
    while True:
        try:
            shown = await session.pod()
            if shown.state == "running":
                return
            state = shown.state
        except RenterError as error:
            state = str(error)
        if renter.clock() > until:
            raise Unreachable(f"the pod of lease {lease_id} does not run after {FINAL_S:.0f} s: {state}")
        await renter.sleep(LOOK_S)
