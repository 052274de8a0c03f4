"""What stands in the way of each device of a host, found without a worker: for people who look before they start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.protocol.types import DeviceId
from assay.provider.cards import cdi
from assay.provider.cards.bindings import Binding, Bindings, CardBook
from assay.provider.cards.faults import CardFault
from assay.provider.cards.readings import (
    CardReader,
    health_fault,
    memory_fault,
    requirement_fault,
)
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import GpuNames, read_inventory
from assay.provider.measurement.trap_engines import proves_on_card


def card_findings(
    devices: Mapping[DeviceId, OwnDevice],
    reader: CardReader,
    container_gpus: Sequence[str],
    data_dir: Path,
    engine: str,
    folders: Sequence[Path] = cdi.FOLDERS,
) -> tuple[list[str], list[str]]:
    """A line for each device, and a line for each fault. A daemon at work shows as a process on its cards, which is
    none. Raises BadSetting for names that stand for no single device.
    """
    unknown = any(one.specification is None for one in devices.values()) and proves_on_card(engine)
    has_gpus = unknown and read_inventory().has_gpu
    given = GpuNames.parse(container_gpus, devices)
    bindings = Bindings(devices, reader, given, CardBook(data_dir), has_gpus=has_gpus, folders=folders)
    bindings.look()
    lines, faults = [], []
    for binding in bindings.all():
        name = binding.device.name[:10]
        lines.append(f"{name}: {binding.device.card or 'the processor'}{f' as {binding.name}' if binding.name else ''}")
        faults += [f"{name}: {fault}" for fault in dict.fromkeys(_faults(binding, reader, engine))]
    return lines, faults


def _faults(binding: Binding, reader: CardReader, engine: str) -> list[CardFault]:
    found = [binding.fault or binding.name_fault]
    if binding.reading is not None:
        reading = binding.reading
        everybody = frozenset(pid for pid, _ in reading.processes or ())
        found += [health_fault(reading), memory_fault(reading, binding.device.profile, everybody, engine)]
        if proves_on_card(engine):
            found += [requirement_fault(reading), reader.permission_fault(reading)]
    return [fault for fault in found if fault is not None]
