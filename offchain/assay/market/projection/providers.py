"""What providers let others do for them, and what they put aside for it; which tokens leases are paid in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assay.market.events.device_events import OperatorSet, PayoutSet
from assay.market.events.lease_events import OffersCancelled
from assay.market.events.record import Event, Place
from assay.market.events.treasury_events import (
    BondCreditDrained,
    BondCreditFilled,
    BondCreditUsed,
    BondLimitSet,
    TokenDelisted,
    TokenListed,
)
from assay.market.projection.handler import Handler, handles
from assay.market.store.rows import Change, Rows
from assay.protocol.hexadecimal import ZERO_ADDRESS

DAY_S = 86_400


@handles(OperatorSet)
def operator_set(event: OperatorSet, place: Place, rows: Rows) -> Iterable[Change]:
    known = {"scopes": event.scopes, "until": event.until, "set_at": place.timestamp, "transaction": place.transaction}
    yield Change("operators", (event.provider, event.operator), known)


@handles(PayoutSet)
def payout_set(event: PayoutSet, place: Place, rows: Rows) -> Iterable[Change]:
    own = event.payout == ZERO_ADDRESS
    yield Change("payouts", (event.provider,), {"payout": None if own else event.payout})


@handles(OffersCancelled)
def offers_cancelled(event: OffersCancelled, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("nonce_floors", (event.device_id, event.signer), {"nonce_floor": event.nonce_floor})


@handles(BondCreditFilled)
def credit_filled(event: BondCreditFilled, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("bond_credits", (event.provider, event.token), {"credit": event.credit})


@handles(BondCreditDrained)
def credit_drained(event: BondCreditDrained, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("bond_credits", (event.provider, event.token), {"credit": event.credit})


@handles(BondCreditUsed)
def credit_used(event: BondCreditUsed, place: Place, rows: Rows) -> Iterable[Change]:
    key = event.provider, event.token
    used = used_by(rows.row("bond_credits", key), place.timestamp) + event.amount
    yield Change("bond_credits", key, {"credit": event.credit, "used": used, "used_at": place.timestamp})


@handles(BondLimitSet)
def limit_set(event: BondLimitSet, place: Place, rows: Rows) -> Iterable[Change]:
    key = event.provider, event.token
    used = used_by(rows.row("bond_credits", key), place.timestamp)
    yield Change("bond_credits", key, {"per_day": event.per_day, "used": used, "used_at": place.timestamp})


def used_by(credit: Mapping[str, Any] | None, timestamp: int) -> int:
    """What of a day's limit counts as used: it comes back evenly in a day."""
    if credit is None:
        return 0
    back = credit["per_day"] * max(0, timestamp - credit["used_at"]) // DAY_S
    return max(0, int(credit["used"] - back))


def left_of_limit(credit: Mapping[str, Any], timestamp: int) -> int:
    """What operators may take now, if there is as much."""
    return max(0, int(credit["per_day"] - used_by(credit, timestamp)))


@handles(TokenListed)
def token_listed(event: TokenListed, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("tokens", (event.token,), {"listed": True, "fee_floor": event.fee_floor})


@handles(TokenDelisted)
def token_delisted(event: TokenDelisted, place: Place, rows: Rows) -> Iterable[Change]:
    yield Change("tokens", (event.token,), {"listed": False})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        operator_set, payout_set, offers_cancelled, credit_filled, credit_drained, credit_used, limit_set,
        token_listed, token_delisted,
    )
}  # fmt: skip
