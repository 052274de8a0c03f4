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
from assay.market.store.rows import Change, RowReader
from assay.protocol.hexadecimal import ZERO_ADDRESS

DAY_S = 86_400


@handles(OperatorSet)
def operator_set(event: OperatorSet, place: Place, rows: RowReader) -> Iterable[Change]:
    known = {"scopes": event.scopes, "until": event.until, "set_at": place.timestamp, "transaction": place.transaction}
    yield Change("operators", (event.provider, event.operator), known)


@handles(PayoutSet)
def payout_set(event: PayoutSet, place: Place, rows: RowReader) -> Iterable[Change]:
    own = event.payout == ZERO_ADDRESS
    yield Change("payouts", (event.provider,), {"payout": None if own else event.payout})


@handles(OffersCancelled)
def offers_cancelled(event: OffersCancelled, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("nonce_floors", (event.device_id, event.signer), {"nonce_floor": event.nonce_floor})


@handles(BondCreditFilled)
def credit_filled(event: BondCreditFilled, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("bond_credits", (event.provider, event.token), {"credit": event.credit})


@handles(BondCreditDrained)
def credit_drained(event: BondCreditDrained, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("bond_credits", (event.provider, event.token), {"credit": event.credit})


@handles(BondCreditUsed)
def credit_used(event: BondCreditUsed, place: Place, rows: RowReader) -> Iterable[Change]:
    key = event.provider, event.token
    credit = rows.row("bond_credits", key)
    back_in = -(-event.amount * DAY_S // credit["per_day"]) if credit and credit["per_day"] else 0
    whole_at = place.timestamp + wait_of(credit, place.timestamp) + back_in
    yield Change("bond_credits", key, {"credit": event.credit, "whole_at": whole_at})


@handles(BondLimitSet)
def limit_set(event: BondLimitSet, place: Place, rows: RowReader) -> Iterable[Change]:
    # What share of the old limit was taken is taken of the new one.
    yield Change("bond_credits", (event.provider, event.token), {"per_day": event.per_day})


def wait_of(credit: Mapping[str, Any] | None, timestamp: int) -> int:
    """Seconds until all of a day's limit can be taken again."""
    return max(0, int(credit["whole_at"]) - timestamp) if credit else 0


def left_of_limit(credit: Mapping[str, Any], timestamp: int) -> int:
    """What operators may take now, whether there is as much or not."""
    return max(0, int(credit["per_day"] * (DAY_S - wait_of(credit, timestamp)) // DAY_S))


@handles(TokenListed)
def token_listed(event: TokenListed, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("tokens", (event.token,), {"listed": True, "fee_floor": event.fee_floor})


@handles(TokenDelisted)
def token_delisted(event: TokenDelisted, place: Place, rows: RowReader) -> Iterable[Change]:
    yield Change("tokens", (event.token,), {"listed": False})


HANDLERS: Mapping[type[Event], Handler] = {
    h.event: h
    for h in (
        operator_set, payout_set, offers_cancelled, credit_filled, credit_drained, credit_used, limit_set,
        token_listed, token_delisted,
    )
}  # fmt: skip
