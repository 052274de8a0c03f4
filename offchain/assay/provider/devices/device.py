"""A device of this provider: its identity, the work it must do, and the key that signs for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.chain.contracts.devices import DeviceStatus
from assay.protocol.profile import Profile
from assay.protocol.specification import DeclaredHost
from assay.protocol.types import DeviceId


@dataclass(frozen=True)
class OwnDevice:
    """A device of the registry. `sign` makes compact signatures (64 bytes) over digests with the device key;
    `specification` is what it was enrolled as, None where that was not kept; `status` as it was at the start.
    """

    device_id: DeviceId
    provider: str
    address: str
    profile: Profile
    sign: Callable[[bytes], bytes]
    specification: Mapping[str, Any] | None = None
    status: DeviceStatus = DeviceStatus.ACTIVE

    @property
    def name(self) -> str:
        """The id as 0x-hex."""
        return "0x" + self.device_id.hex()

    @property
    def card(self) -> str:
        """The uuid of the GPU that it was enrolled as; empty for a processor, and where that is not known."""
        specification = self.specification or {}
        return str(specification.get("uuid", "")) if specification.get("kind") == "gpu" else ""

    @property
    def host(self) -> DeclaredHost | None:
        """The part of this host that its specification promises to whoever leases it; None where it says nothing."""
        return DeclaredHost.parse((self.specification or {}).get("host"))

    @property
    def place(self) -> str:
        """Where it is proven: its card's uuid, or for a processor a name of its own."""
        return self.card or f"cpu-{self.device_id.hex()[:16]}"
