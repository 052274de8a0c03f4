"""Whether the escrow would open a lease on an offer now, as far as the index knows, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.operators import OperatorScope
from assay.market.projection.devices import ACTIVE
from assay.protocol.hexadecimal import ZERO_ADDRESS

MIN_NOTICE_S = 60


@dataclass(frozen=True, slots=True)
class OfferStanding:
    """What the chain says of an offer: its devices, the nonce floors of whoever signed it for each of them, what its
    provider allows its operator, and whether the escrow takes its token. None for a row that is not there.
    """

    devices: tuple[Mapping[str, Any] | None, ...]
    floors: tuple[Mapping[str, Any] | None, ...]
    operator: Mapping[str, Any] | None
    token: Mapping[str, Any] | None


def signer_of(offer: Mapping[str, Any]) -> str:
    """Whose signature the offer needs."""
    return str(offer["provider"] if offer["operator"] == ZERO_ADDRESS else offer["operator"])


def good_until(offer: Mapping[str, Any], standing: OfferStanding, timestamp: int) -> int:
    """The first second at which the offer is no longer good; 0 where it is not good at `timestamp`."""
    if any(d is None or d["provider"] != offer["provider"] or d["status"] != ACTIVE for d in standing.devices):
        return 0
    if any(floor is not None and offer["nonce"] < floor["nonce_floor"] for floor in standing.floors):
        return 0
    if standing.token is None or not standing.token["listed"]:
        return 0
    until = int(offer["valid_until"])
    if offer["operator"] != ZERO_ADDRESS:
        until = min(until, appointed_until(standing.operator))
    return until if until > timestamp else 0


def appointed_until(operator: Mapping[str, Any] | None) -> int:
    """The first second at which an operator's offers no longer count; 0 for one who may sign none."""
    if operator is None or not operator["scopes"] & OperatorScope.OFFER:
        return 0
    return int(operator["until"]) + 1


def newest_first(offer: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of offers: highest nonce, then longest valid, then cheapest."""
    return -offer["nonce"], -offer["valid_until"], offer["rate"], offer["offer_hash"]


def best(good: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest of good offers."""
    return min(good, key=newest_first, default=None)
