"""An offer as it travels: its fields and its signature beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import HexadecimalError, parse_signature
from assay.protocol.leases import check_device_ids, shown_devices
from assay.protocol.messages import Offer
from assay.protocol.signing import Domain, signed_by
from assay.protocol.typed_message import MessageError


class OfferError(ValueError):
    """An offer that is malformed, or that neither its operator nor, without one, its provider signed."""


def parse_signed_offer(data: Any, domain: Domain) -> tuple[Offer, bytes]:
    """The offer of {…fields, signature} and the signature.

    Whether the provider appointed the operator stands on the chain, and is not looked up here. Raises OfferError.
    """
    if not isinstance(data, Mapping):
        raise OfferError("an offer that is not an object")
    fields = {name: value for name, value in data.items() if name != "signature"}
    try:
        signature = parse_signature(data.get("signature", ""))
        offer = Offer.from_json(fields)
        check_device_ids(offer.device_ids)
    except (EncodingError, HexadecimalError, MessageError) as error:
        raise OfferError(f"a malformed offer: {error}") from None
    if not signed_by(offer.digest(domain), signature, offer.signer):
        raise OfferError(f"an offer for {shown_devices(offer.device_ids)} that {offer.signer} did not sign")
    return offer, signature
