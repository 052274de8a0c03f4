"""Nodes that are put on offer by themselves: alike devices of one host that are free now, two, four, eight together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.offers.offers import Price

DeviceIds = tuple[DeviceId, ...]
MAX_RATE = 1 << 128


def price_together(prices: Collection[Price]) -> Price | None:
    """What devices cost together: the sum, where all else of their terms is the same; else None."""
    first, *_ = prices
    rate = sum(price.rate for price in prices)
    if rate >= MAX_RATE or any(replace(price, rate=first.rate) != first for price in prices):
        return None
    return replace(first, rate=rate)


def alike(devices: Iterable[OwnDevice]) -> bool:
    """Whether devices are of one profile and one declared model."""
    return len({kind_of(device) for device in devices}) == 1


def kind_of(device: OwnDevice) -> tuple[int, str]:
    """What devices of a node have in common."""
    return device.profile.id, str((device.specification or {}).get("model", ""))


def free_nodes(
    free: Mapping[DeviceId, Price], devices: Mapping[DeviceId, OwnDevice], sizes: Collection[int]
) -> dict[DeviceIds, Price]:
    """For each size as many nodes as the free devices give, no device twice in one size: at most one offer more a
    device and size. The ids of each ascend."""
    by_terms: dict[object, list[DeviceId]] = {}
    for device_id, price in sorted(free.items()):
        by_terms.setdefault((kind_of(devices[device_id]), replace(price, rate=1)), []).append(device_id)
    found: dict[DeviceIds, Price] = {}
    for ids in by_terms.values():
        for size in sizes:
            for start in range(0, len(ids) - size + 1, size):
                node = tuple(ids[start : start + size])
                if (together := price_together([free[one] for one in node])) is not None:
                    found[node] = together
    return found
