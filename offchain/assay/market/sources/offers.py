"""Offers and specifications as providers serve them: kept only with the signature of their provider or its operator,
or with their hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.market.errors import BadContent
from assay.market.projection.offers import MIN_NOTICE_S
from assay.protocol.signing import Domain
from assay.protocol.specification import Specification, parse_specification
from assay.wire.leases import OfferError, SignedOffer, parse_signed_offer
from assay.wire.limits import MAX_OFFERS

LONGEST_S = 1 << 32  # no lease is that long


def listed(answer: Any, name: str) -> Sequence[Any]:
    """The list under `name` of a provider's answer, or the answer itself. Raises BadContent."""
    found = answer.get(name, []) if isinstance(answer, dict) else answer
    if not isinstance(found, list) or len(found) > MAX_OFFERS:
        raise BadContent(f"{name}: expected a list of at most {MAX_OFFERS}")
    return found


def signed_offer(line: Any, domain: Domain, provider: str) -> SignedOffer:
    """The offer of one line, of `provider` and signed by it or by the operator that the offer names. Whether that one
    was appointed is for whoever has the chain to say. Raises BadContent.
    """
    try:
        signed = parse_signed_offer(line, domain)
    except OfferError as error:
        raise BadContent(f"offer: {str(error)[:300]}") from None
    offer = signed.offer
    if offer.provider != provider:
        raise BadContent(f"offer: of provider {offer.provider}, served at the endpoint of {provider}")
    if offer.rate == 0:
        raise BadContent("offer: its rate is 0, which the escrow refuses")
    if not max(1, offer.min_duration) <= offer.max_duration < LONGEST_S:
        raise BadContent(
            f"offer: lasts at least {offer.min_duration} s and at most {offer.max_duration} s, which the escrow refuses"
        )
    if 0 < offer.notice < MIN_NOTICE_S:
        raise BadContent(f"offer: a notice of {offer.notice} s, the escrow takes 0 or at least {MIN_NOTICE_S}")
    return signed


def specification(document: Any) -> Specification:
    """A specification as a JSON object in its canonical form. Raises BadContent."""
    try:
        return parse_specification(document)
    except ValueError as error:
        raise BadContent(f"specification: {str(error)[:200]}") from None
