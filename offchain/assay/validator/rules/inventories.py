"""Which devices a seal must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from assay.protocol import quorum
from assay.protocol.types import DeviceId


def required_devices(inventories: Mapping[int, frozenset[DeviceId]], seats: int) -> frozenset[DeviceId]:
    """Devices that at least f+1 seats hold a commitment of, so that one honest seat surely does.

    `inventories` maps a seat to the devices in its signed inventory.
    """
    holders: Counter[DeviceId] = Counter()
    for devices in inventories.values():
        holders.update(devices)
    least = quorum.faults(seats) + 1
    return frozenset(device for device, count in holders.items() if count >= least)


def missing_devices(
    inventories: Mapping[int, frozenset[DeviceId]], seats: int, sealed: Iterable[DeviceId]
) -> tuple[DeviceId, ...]:
    """Devices that a seal leaves out although it must hold them, ascending."""
    return tuple(sorted(required_devices(inventories, seats) - frozenset(sealed)))


def complete(inventories: Mapping[int, frozenset[DeviceId]], seats: int) -> bool:
    """Whether every seat has spoken, so that waiting longer can change nothing."""
    return len(inventories) == seats
