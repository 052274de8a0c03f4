"""Bodies of the memory probe: what a device answered, and what it is asked for after ρ."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from assay.protocol.messages import LaneCommitment
from assay.validator.rules.values import HeldLanes, SignedChallenge
from assay.validator.wire_types import U64, Address, Bytes32, Signature, Wire


class UsedNonce(Wire):
    """A seat's nonce as its device got it."""

    validator: Address
    nonce: Bytes32
    signature: Signature


class LanesBody(Wire):
    """A device's answer to the probe."""

    epoch: U64
    epoch_seed: Bytes32
    device_id: Bytes32
    result_root: Bytes32
    challenge: Bytes32
    lane_root: Bytes32
    nonces: Annotated[tuple[UsedNonce, ...], Field(max_length=31)]
    signature: Signature

    def held(self) -> HeldLanes:
        """As the rules see it."""
        message = LaneCommitment(
            self.epoch, self.epoch_seed, self.device_id, self.result_root, self.challenge, self.lane_root
        )
        used = tuple(SignedChallenge(n.validator, n.nonce, n.signature) for n in self.nonces)
        return HeldLanes(message, used, self.signature)


class LanesRequest(Wire):
    """A request for the lanes that ρ draws; anybody may make it."""

    epoch: U64
    device_id: Bytes32
    rho: Bytes32
