"""What is minted: claims, vetoes, and who mints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.market.events.record import Event, Place
from assay.market.events.reward_events import GuardianSuspended, RewardsClaimed, RewardsVetoed
from assay.market.events.token_events import HandoverSettled, MinterHandedOver
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, RowReader


@handles(RewardsClaimed)
def rewards_claimed(event: RewardsClaimed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("stakes", (event.account,), add={"rewards_claimed": event.amount})


@handles(RewardsVetoed)
def rewards_vetoed(event: RewardsVetoed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("epochs", (event.epoch,), {"vetoed": True})


@handles(GuardianSuspended)
def guardian_suspended(event: GuardianSuspended, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("suspensions", (event.since,), {"until": event.until})


@handles(MinterHandedOver)
def minter_handed_over(event: MinterHandedOver, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("minters", (event.previous,), {"last_epoch": event.last_epoch, "ended_at": place.timestamp})
    yield Change("minters", (event.next,), {"first_epoch": event.last_epoch + 1})


@handles(HandoverSettled)
def handover_settled(event: HandoverSettled, place: Place, rows: RowReader) -> Iterable[Change]:
    known = {"limit": event.limit, "minted": event.minted, "settled_at": place.timestamp}
    yield Change("minters", (event.minter,), known)


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h for h in (rewards_claimed, rewards_vetoed, guardian_suspended, minter_handed_over, handover_settled)
}
