"""What a provider asks a seat, and the seat answers: whether a device is reached where the registry says."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from assay.protocol.messages import ReachabilityRequest
from assay.wire.fields import U32, U64, DeviceId32, Signature, Wire

MAX_FOUND = 300  # characters


class SignedReachabilityRequest(Wire):
    """A request with the compact signature of the device's own key: nobody can have another's device dialled."""

    device_id: DeviceId32
    issued_at: U64
    signature: Signature

    @classmethod
    def of(cls, message: ReachabilityRequest, signature: bytes) -> Self:
        return cls(device_id=message.device_id, issued_at=message.issued_at, signature=signature)

    @property
    def message(self) -> ReachabilityRequest:
        """What was signed."""
        return ReachabilityRequest(self.device_id, self.issued_at)


class Reached(Wire):
    """What the seat saw of the registered origin: `reached` where the device's own key answered there, `found` in
    words, `milliseconds` until then."""

    endpoint: Annotated[str, Field(max_length=256)]
    reached: bool
    found: Annotated[str, Field(max_length=MAX_FOUND)]
    milliseconds: U32
