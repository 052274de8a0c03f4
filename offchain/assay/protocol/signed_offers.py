"""An offer as it travels: its fields and its provider's signature beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.protocol.hexadecimal import HexadecimalError, parse_signature
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain, signed_by
from assay.protocol.typed_message import MessageError


class OfferError(ValueError):
    """An offer that is malformed or that its provider did not sign."""


def parse_signed_offer(data: Any, domain: Domain) -> tuple[Offer, bytes]:
    """The offer of {…fields, signature} and the signature. Raises OfferError."""
    if not isinstance(data, Mapping):
        raise OfferError("an offer that is not an object")
    fields = {name: value for name, value in data.items() if name != "signature"}
    try:
        signature = parse_signature(data.get("signature", ""))
        offer = Offer.from_json(fields)
    except (HexadecimalError, MessageError) as error:
        raise OfferError(f"a malformed offer: {error}") from None
    if not signed_by(offer.digest(domain), signature, offer.provider):
        raise OfferError(f"an offer for 0x{offer.device_id.hex()} that {offer.provider} did not sign")
    return offer, signature
