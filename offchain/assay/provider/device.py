"""A device of this provider: its identity, the work it must do, and the key that signs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.profile import Profile


@dataclass(frozen=True)
class Device:
    """An enrolled device. `sign` makes compact signatures (64 bytes) over digests with the device key;
    `specification` is what it was enrolled as, None where that was not kept.
    """

    device_id: bytes
    provider: str
    address: str
    profile: Profile
    sign: Callable[[bytes], bytes]
    specification: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The id as 0x-hex."""
        return "0x" + self.device_id.hex()
