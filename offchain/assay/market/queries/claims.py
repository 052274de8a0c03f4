"""Against which report an account can claim what it has earned."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Connection, select

from assay.market.queries.pages import many
from assay.market.store.tables import epochs, rewards, suspensions

LOOKED_AT = 400  # reports back


class Delays(Protocol):
    """How long reports wait, in seconds; the long one for those made while the guardian is suspended."""

    @property
    def claim_delay(self) -> int: ...
    @property
    def long_claim_delay(self) -> int: ...


def claimable_at(connection: Connection, reported_at: int, delays: Delays) -> int:
    """From when on a report can be claimed against."""
    query = select(suspensions).where(suspensions.c.since <= reported_at, suspensions.c.until > reported_at)
    long = connection.execute(query.limit(1)).first() is not None
    return reported_at + (delays.long_claim_delay if long else delays.claim_delay)


def claimable_report(connection: Connection, account: str, delays: Delays, now: int) -> dict[str, Any] | None:
    """The newest report that an account can claim against, None where there is none."""
    query = (
        select(epochs)
        .join(rewards, rewards.c.epoch == epochs.c.epoch)
        .where(rewards.c.account == account, epochs.c.vetoed.is_(False))
        .order_by(epochs.c.epoch.desc())
        .limit(LOOKED_AT)
    )
    for epoch in many(connection, query):
        if claimable_at(connection, epoch["reported_at"], delays) < now:
            return dict(epoch)
    return None
