"""What stands in the way of each device of a host, found without a worker: for people who look before they start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from assay.protocol.types import DeviceId
from assay.provider.cards import cdi
from assay.provider.cards.bindings import Binding, Bindings, CardBook
from assay.provider.cards.faults import CardFault
from assay.provider.cards.process_link import is_worker
from assay.provider.cards.readings import (
    CardReader,
    company_fault,
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
    *,
    leased: Collection[DeviceId] = (),
    is_worker: Callable[[int], bool] = is_worker,
) -> tuple[list[str], list[str]]:
    """A line for each device, and a line for each fault. Workers of a daemon at work are none, nor is whatever a renter
    has on the card of one that is `leased`. Raises BadSetting for names that stand for no single device.
    """
    unknown = any(one.specification is None for one in devices.values()) and proves_on_card(engine)
    has_gpus = unknown and read_inventory().has_gpu
    given = GpuNames.parse(container_gpus, devices)
    bindings = Bindings(devices, reader, given, CardBook(data_dir), has_gpus=has_gpus, folders=folders)
    bindings.look()
    renters = {devices[one].card for one in leased if one in devices}
    lines, faults = [], []
    for binding in bindings.all():
        name = binding.device.name[:10]
        lines.append(f"{name}: {binding.device.card or 'the processor'}{f' as {binding.name}' if binding.name else ''}")
        found = _faults(binding, reader, engine, None if binding.device.card in renters else is_worker)
        faults += [f"{name}: {fault}" for fault in dict.fromkeys(found)]
    return lines, faults


def _faults(
    binding: Binding, reader: CardReader, engine: str, is_worker: Callable[[int], bool] | None
) -> list[CardFault]:
    """`is_worker`: whether a process is one of ours; None where the card is leased."""
    found = [binding.fault or binding.name_fault]
    if binding.reading is not None:
        reading = binding.reading
        found.append(health_fault(reading))
        if is_worker is not None:
            ours = frozenset(pid for pid, _ in reading.processes or () if is_worker(pid))
            found += [memory_fault(reading, binding.device.profile, ours, engine), company_fault(reading, ours)]
        if proves_on_card(engine):
            found += [requirement_fault(reading), reader.permission_fault(reading)]
    return [fault for fault in found if fault is not None]
