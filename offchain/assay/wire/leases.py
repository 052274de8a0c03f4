"""What renters and providers send each other of a lease: signed offers, quotes, handovers, the start, logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from assay.protocol.encoding import EncodingError
from assay.protocol.hexadecimal import (
    HexadecimalError,
    parse_address,
    parse_bytes32,
    parse_hex,
    parse_signature,
    to_hex,
)
from assay.protocol.leases import MAX_DEVICES, check_device_ids, shown_devices
from assay.protocol.messages import Handover, Offer
from assay.protocol.sign_in import MAX_TEXT as MAX_SIGN_IN_TEXT
from assay.protocol.signing import Domain, signed_by
from assay.protocol.typed_message import MessageError
from assay.protocol.types import DeviceId, Seed
from assay.wire.fields import Wire
from assay.wire.limits import MAX_SIGNATURE_BYTES

MAX_SSH_KEY = 4_096  # characters
LongSignature = Annotated[str, Field(max_length=2 + 2 * MAX_SIGNATURE_BYTES)]


class OfferError(ValueError):
    """An offer that is malformed, or that neither its operator nor, without one, its provider signed."""


class SignedOffer(NamedTuple):
    """An offer with the signature of its operator, or where it names none its provider's."""

    offer: Offer
    signature: bytes

    @property
    def offer_hash(self) -> bytes:
        """What the escrow knows it by, 32 bytes."""
        return self.offer.struct_hash()

    def to_json(self) -> dict[str, Any]:
        """The fields, and the signature beside them."""
        return {**self.offer.to_json(), "signature": to_hex(self.signature)}


def parse_signed_offer(data: Any, domain: Domain) -> SignedOffer:
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
    return SignedOffer(offer, signature)


class SignedHandover(NamedTuple):
    """A device's Handover with its signature."""

    message: Handover
    signature: bytes

    def to_json(self, epoch: int, epoch_seed: Seed) -> dict[str, Any]:
        """With the epoch whose seed the proof stands on."""
        return {
            **self.message.to_json(),
            "epoch": epoch,
            "epochSeed": to_hex(epoch_seed),
            "signature": to_hex(self.signature),
        }

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> SignedHandover:
        """Of a provider's answer. Raises MessageError, HexadecimalError."""
        fields = {key: value for key, value in answer.items() if key not in ("signature", "epoch", "epochSeed")}
        return cls(Handover.from_json(fields), parse_signature(answer.get("signature", "")))


class QuoteBody(Wire):
    """A renter's request for a quote: these devices, ascending, as one for that many seconds."""

    device_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_DEVICES)]
    renter: str
    seconds: Annotated[int, Field(gt=0, lt=1 << 32)]

    def devices(self) -> tuple[DeviceId, ...]:
        return tuple(DeviceId(parse_bytes32(device, f"deviceIds[{n}]")) for n, device in enumerate(self.device_ids))

    def renter_address(self) -> str:
        return parse_address(self.renter, "renter")


class NonceBody(Wire):
    """H(x) of a lease's handover, 0x-hex, and which of its devices is to prove itself."""

    nonce: str
    device_id: str

    def value(self) -> bytes:
        return parse_bytes32(self.nonce, "nonce")

    def device(self) -> DeviceId:
        return DeviceId(parse_bytes32(self.device_id, "deviceId"))


class RevealBody(Wire):
    """x of a lease's handover, 0x-hex, and whose rows are asked for."""

    x: str
    device_id: str

    def value(self) -> bytes:
        return parse_bytes32(self.x, "x")

    def device(self) -> DeviceId:
        return DeviceId(parse_bytes32(self.device_id, "deviceId"))


class StartBody(Wire):
    """The renter's signed LeaseStart; what a contract takes for a signature may be long."""

    result_roots: str
    valid_until: Annotated[int, Field(ge=0, lt=1 << 40)]
    signature: LongSignature

    def roots(self) -> bytes:
        return parse_bytes32(self.result_roots, "resultRoots")

    def signature_bytes(self) -> bytes:
        return parse_hex(self.signature, "signature", max_bytes=MAX_SIGNATURE_BYTES)


class LoginBody(Wire):
    """The signed text of EIP-4361 and the wallet's signature, 0x-hex: what a contract takes for one may be long."""

    message: Annotated[str, Field(max_length=MAX_SIGN_IN_TEXT)]
    signature: LongSignature

    def signature_bytes(self) -> bytes:
        return parse_hex(self.signature, "signature", max_bytes=MAX_SIGNATURE_BYTES)


class SshKeyBody(Wire):
    """A public key in OpenSSH's form."""

    public_key: Annotated[str, Field(max_length=MAX_SSH_KEY)]
