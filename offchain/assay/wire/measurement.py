"""What a seat asks of a device and what it answers: challenges and commitments, the memory probe, rows and lanes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from assay.protocol.hexadecimal import HexadecimalError, parse_signature, to_hex
from assay.protocol.keccak import keccak
from assay.protocol.leaves import SealedLeaf
from assay.protocol.messages import Challenge, Commitment, LaneCommitment, ProbeNonce
from assay.protocol.quorum import MAX_SEATS
from assay.protocol.types import NO_ROOT, DeviceId, Rho, Root
from assay.wire.fields import (
    FORM,
    U32,
    U64,
    Address,
    Bytes32,
    DeviceId32,
    Record,
    Rho32,
    Root32,
    Seed32,
    SharedDeviceId32,
    SharedSeed32,
    Signature,
    Wire,
)
from assay.wire.limits import MAX_ROWS

OPENINGS_REQUEST = "openings-request"  # the kind of the Gossip that signs one
LIVENESS_TAG = b"assay.live"
M = TypeVar("M", Challenge, ProbeNonce)


@dataclass(frozen=True, slots=True, config=FORM)
class SignedChallenge(Record):
    """A challenge with its seat's compact signature: sent to a device, and shown by it with its commitment."""

    epoch: U64
    epoch_seed: SharedSeed32
    device_id: SharedDeviceId32
    validator: Address
    nonce: Bytes32
    signature: Signature

    @classmethod
    def of(cls, message: Challenge, signature: bytes) -> Self:
        return cls(message.epoch, message.epoch_seed, message.device_id, message.validator, message.nonce, signature)

    @classmethod
    def of_request(cls, body: Mapping[str, Any]) -> Self:
        """Of a request's body. Raises MessageError, HexadecimalError."""
        return cls.of(*_signed(Challenge, body))

    @property
    def message(self) -> Challenge:
        """What was signed."""
        return Challenge(self.epoch, self.epoch_seed, self.device_id, self.validator, self.nonce)


@dataclass(frozen=True, slots=True, config=FORM)
class SignedCommitment(Record):
    """A device's answer to challenges: what it signed, the challenges it used, and its compact signature."""

    epoch: U64
    job_hash: Bytes32
    device_id: DeviceId32
    nonce_root: Bytes32
    result_root: Root32
    challenges: Annotated[tuple[SignedChallenge, ...], Field(max_length=MAX_SEATS)]
    signature: Signature

    @classmethod
    def of(cls, message: Commitment, challenges: Iterable[SignedChallenge], signature: bytes) -> Self:
        return cls(
            message.epoch,
            message.job_hash,
            message.device_id,
            message.nonce_root,
            message.result_root,
            tuple(challenges),
            signature,
        )

    @property
    def message(self) -> Commitment:
        """What was signed."""
        return Commitment(self.epoch, self.job_hash, self.device_id, self.nonce_root, self.result_root)

    def leaf(self, lane_root: Root = NO_ROOT) -> SealedLeaf:
        """Its line in a seal, with the lane root of the device's probe where it answered one."""
        return SealedLeaf(
            self.device_id,
            self.job_hash,
            self.nonce_root,
            self.result_root,
            lane_root,
            self.signature[:32],
            self.signature[32:],
        )


@dataclass(frozen=True, slots=True, config=FORM)
class SignedNonce(Record):
    """A seat's nonce of the memory probe as a device shows it: the rest of what was signed is the device's own."""

    validator: Address
    nonce: Bytes32
    signature: Signature


@dataclass(frozen=True, slots=True, config=FORM)
class SignedProbeNonce(Record):
    """A nonce for the memory probe with its seat's compact signature, as it is sent to a device."""

    epoch: U64
    epoch_seed: Seed32
    device_id: DeviceId32
    result_root: Root32
    validator: Address
    nonce: Bytes32
    signature: Signature

    @classmethod
    def of(cls, message: ProbeNonce, signature: bytes) -> Self:
        return cls(
            message.epoch,
            message.epoch_seed,
            message.device_id,
            message.result_root,
            message.validator,
            message.nonce,
            signature,
        )

    @classmethod
    def of_request(cls, body: Mapping[str, Any]) -> Self:
        """Of a request's body. Raises MessageError, HexadecimalError."""
        return cls.of(*_signed(ProbeNonce, body))

    @property
    def message(self) -> ProbeNonce:
        """What was signed."""
        return ProbeNonce(self.epoch, self.epoch_seed, self.device_id, self.result_root, self.validator, self.nonce)

    @property
    def used(self) -> SignedNonce:
        """As the answer shows it."""
        return SignedNonce(self.validator, self.nonce, self.signature)


@dataclass(frozen=True, slots=True, config=FORM)
class SignedLanes(Record):
    """A device's answer to the memory probe: what it signed, the nonces it used, and its compact signature."""

    epoch: U64
    epoch_seed: SharedSeed32
    device_id: DeviceId32
    result_root: Root32
    challenge: Bytes32
    lane_root: Root32
    nonces: Annotated[tuple[SignedNonce, ...], Field(max_length=MAX_SEATS)]
    signature: Signature

    @classmethod
    def of(cls, message: LaneCommitment, nonces: Iterable[SignedNonce], signature: bytes) -> Self:
        return cls(
            message.epoch,
            message.epoch_seed,
            message.device_id,
            message.result_root,
            message.challenge,
            message.lane_root,
            tuple(nonces),
            signature,
        )

    @property
    def message(self) -> LaneCommitment:
        """What was signed."""
        return LaneCommitment(
            self.epoch, self.epoch_seed, self.device_id, self.result_root, self.challenge, self.lane_root
        )


class LanesRequest(Wire):
    """A request for the lanes that ρ draws; anybody may make it."""

    epoch: U64
    device_id: DeviceId32
    rho: Rho32


class RowsContent(Wire):
    """Rows asked of a device: those that `rho` samples, or `rows` as t·M + i, in this order."""

    device_id: DeviceId32
    rho: Rho32 | None = None
    rows: Annotated[tuple[U64, ...], Field(max_length=MAX_ROWS)] | None = None


class OpeningRequest(Wire):
    """A seat's request for rows, with its Gossip signature of the kind openings-request."""

    kind: Literal["openings-request"] = "openings-request"
    epoch: U64
    set_id: U32
    seat: Address
    content: RowsContent
    signature: Signature


def sampled_rows_request(epoch: int, device_id: DeviceId, rho: Rho) -> dict[str, Any]:
    """A request for the rows that ρ samples; anybody may make it."""
    return {"epoch": epoch, "content": RowsContent(device_id=device_id, rho=rho).to_json()}


def live_digest(device_id: DeviceId, nonce: bytes) -> bytes:
    """What a device key signs to show that it is there: H("assay.live" ‖ deviceId ‖ nonce). No contract reads it."""
    return keccak(LIVENESS_TAG + device_id + nonce)


def live_answer(device_id: DeviceId, nonce: bytes, signature: bytes) -> dict[str, str]:
    """A device's sign of life."""
    return {"deviceId": to_hex(device_id), "nonce": to_hex(nonce), "signature": to_hex(signature)}


def signature_in(answer: Any) -> bytes | None:
    """The compact signature in a JSON answer: of a sign of life, or of a proposal; None where there is none."""
    try:
        return parse_signature(answer["signature"])
    except (KeyError, TypeError, HexadecimalError):
        return None


def _signed(kind: type[M], body: Mapping[str, Any]) -> tuple[M, bytes]:
    fields = {name: value for name, value in body.items() if name != "signature"}
    return kind.from_json(fields), parse_signature(body.get("signature", ""))
