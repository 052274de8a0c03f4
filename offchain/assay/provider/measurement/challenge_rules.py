"""Which challenges and nonces a device accepts, and when it has enough of them to start."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from assay.protocol.messages import Challenge, ProbeNonce
from assay.protocol.quorum import quorum
from assay.protocol.signing import Domain, SignatureError
from assay.provider.errors import Conflict, Forbidden, NotAuthorised
from assay.provider.views import EpochView
from assay.wire.measurement import SignedChallenge, SignedProbeNonce


def check(signed: SignedChallenge, view: EpochView | None, domain: Domain) -> None:
    """Raises unless the challenge is a current seat's, for this open epoch and its own seed.

    The seed is compared because a validator behind a reorganised chain would have the device commit to work
    that nobody accepts.
    """
    _check_seat(signed.message, signed.signature, view, domain)


def check_probe_nonce(signed: SignedProbeNonce, view: EpochView | None, domain: Domain) -> None:
    """The same for a nonce of the memory probe."""
    _check_seat(signed.message, signed.signature, view, domain)


def _check_seat(message: Challenge | ProbeNonce, signature: bytes, view: EpochView | None, domain: Domain) -> None:
    if view is None:
        raise Conflict(f"epoch {message.epoch} is not open at a final block")
    if not view.challenges_open:
        raise Conflict(f"epoch {message.epoch} accepts no more commitments")
    if message.epoch_seed != view.epoch_seed:
        raise Conflict(f"epoch {message.epoch} has the seed 0x{view.epoch_seed.hex()}")
    seat = view.seat_of(message.validator)
    if seat is None:
        raise Forbidden(f"{message.validator} holds no seat in epoch {message.epoch}")
    try:
        signer = message.recover_signer(domain, signature)
    except SignatureError as error:
        raise NotAuthorised(str(error)) from error
    if signer.lower() != seat.signer.lower():
        raise NotAuthorised(f"signed by {signer}, the seat of {message.validator} signs with {seat.signer}")


def readiness(collected: Collection[str], seats: int) -> Literal["wait", "grace", "start"]:
    """Whether to wait for a quorum of nonces, to give the rest their grace, or to start at once."""
    if len(collected) >= seats:
        return "start"
    return "grace" if len(collected) >= quorum(seats) else "wait"
