"""Profiles, devices, and who acts for a provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from assay.market.events.record import Address, Event


@dataclass(frozen=True, slots=True)
class ProfileAdded(Event):
    """A profile was added: (M, N, K, T, chunk, k, W, deadlineMs, credit, maxGops, stake)."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    id: int
    profile: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProfileClosed(Event):
    """A profile takes no more devices and earns no emission."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    id: int


@dataclass(frozen=True, slots=True)
class DeviceEnrolled(Event):
    """A device stands under its provider's stake."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    device_id: bytes
    provider: Address
    device_key: Address
    profile: int
    spec_hash: bytes


@dataclass(frozen=True, slots=True)
class DeviceEndpoint(Event):
    """Where a device is reached."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    device_id: bytes
    endpoint: str
    tls_fingerprint: bytes


@dataclass(frozen=True, slots=True)
class DeviceRetired(Event):
    """A device left the market; `status` 2 retired, 3 slashed."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    device_id: bytes
    status: int


@dataclass(frozen=True, slots=True)
class DeviceStakeReleased(Event):
    """A retired device's stake is free."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    device_id: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class OperatorSet(Event):
    """A provider appointed, changed or revoked an operator: bits of its scopes, none revokes; the last second."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    provider: Address
    operator: Address
    scopes: int
    until: int


@dataclass(frozen=True, slots=True)
class PayoutSet(Event):
    """A provider named where what its operators claim goes; zero stands for itself."""

    CONTRACT: ClassVar[str] = "DeviceRegistry"

    provider: Address
    payout: Address
