"""Which card of this machine a device is: the one whose uuid was told when it was enrolled."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import read_inventory
from assay.provider.errors import ProviderError

GPU_ENGINES = ("simt", "mma")

log = structlog.get_logger()


def cards_of(devices: Iterable[OwnDevice], engine: str) -> list[str]:
    """The card of each device, as often as it has one that is in this machine; the others are proven for on any.

    None where the engine works on the processor: it proves for one device at a time, for its kernels are not made for
    more than one thread of ours.
    """
    if engine not in GPU_ENGINES:
        return []
    inventory = read_inventory()
    for bad in inventory.faults:
        log.warning("a card of this machine cannot be used", card=bad.index, fault=bad.fault)
    present = {one.uuid for one in inventory.accelerators}
    found = []
    for device in devices:
        if device.card in present:
            found.append(device.card)
        else:
            log.warning("this device's card is not in this machine", device=device.name, card=device.card)
    return found


def select_card(uuid: str) -> None:
    """Makes a card the one that engines of this thread work on. Raises ProviderError where it is not there."""
    from assay.proof.cuda.runtime import cuda

    found = [str(gpu.uuid) for gpu in cuda.gpus]
    if uuid not in found:
        raise ProviderError(f"card {uuid} is not one that CUDA shows here: {', '.join(found) or 'none'}")
    cuda.select_device(found.index(uuid))
