"""Which challenges a device accepts, and when it has enough of them to start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from assay.protocol.messages import Challenge
from assay.protocol.quorum import quorum
from assay.protocol.signing import Domain, SignatureError
from assay.provider.errors import Conflict, Forbidden, NotAuthorised
from assay.provider.views import EpochView


@dataclass(frozen=True)
class SignedChallenge:
    """A challenge with its seat's compact signature (64 bytes)."""

    challenge: Challenge
    signature: bytes

    def to_json(self) -> dict[str, object]:
        return {**self.challenge.to_json(), "signature": "0x" + self.signature.hex()}


def check(signed: SignedChallenge, view: EpochView | None, domain: Domain) -> None:
    """Raises unless the challenge is a current seat's, for this open epoch and its own seed.

    The seed is compared because a validator behind a reorganised chain would have the device commit to work
    that nobody accepts.
    """
    challenge = signed.challenge
    if view is None:
        raise Conflict(f"epoch {challenge.epoch} is not open at a final block")
    if not view.challenges_open:
        raise Conflict(f"epoch {challenge.epoch} takes no more commitments")
    if challenge.epoch_seed != view.epoch_seed:
        raise Conflict(f"epoch {challenge.epoch} has the seed 0x{view.epoch_seed.hex()}")
    seat = view.seat_of(challenge.validator)
    if seat is None:
        raise Forbidden(f"{challenge.validator} holds no seat in epoch {challenge.epoch}")
    try:
        signer = challenge.recover_signer(domain, signed.signature)
    except SignatureError as error:
        raise NotAuthorised(str(error)) from error
    if signer.lower() != seat.signer.lower():
        raise NotAuthorised(f"signed by {signer}, the seat of {challenge.validator} signs with {seat.signer}")


def readiness(collected: Collection[str], seats: int) -> Literal["wait", "grace", "start"]:
    """Whether to wait for a quorum of nonces, to give the rest their grace, or to start at once."""
    if len(collected) >= seats:
        return "start"
    return "grace" if len(collected) >= quorum(seats) else "wait"
