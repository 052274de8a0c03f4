"""A device of this provider: its identity, the work it must do, and the key that signs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.protocol.profile import Profile


@dataclass(frozen=True)
class Device:
    """An enrolled device. `sign` makes compact signatures (64 bytes) over digests with the device key."""

    device_id: bytes
    provider: str
    address: str
    profile: Profile
    sign: Callable[[bytes], bytes]

    @property
    def name(self) -> str:
        """The id as 0x-hex."""
        return "0x" + self.device_id.hex()
