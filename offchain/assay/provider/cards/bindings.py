"""Which card a device is, from its enrolment on: device key, card uuid, and the name that container engines know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId
from assay.provider.cards import cdi
from assay.provider.cards.faults import CardFault, CardFaultKind
from assay.provider.cards.readings import CardError, CardReader, CardReading
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import GpuNames
from assay.provider.errors import Unavailable

log = structlog.get_logger()


@dataclass(frozen=True)
class SeenCard:
    """Where a device's card was when it was last seen: noted at its enrolment, and at every start."""

    card: str
    bus: str
    name: str | None = None


class CardBook:
    """cards.json in the data folder: nothing is decided by it, it says what has changed."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "cards.json"

    def read(self) -> dict[str, SeenCard]:
        """By device id; a damaged file is an empty one."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            return {name: SeenCard(**one) for name, one in json.loads(self._path.read_text()).items()}
        return {}

    def note(self, device_id: DeviceId, seen: SeenCard) -> None:
        """Notes where a card is now."""
        known = self.read()
        if known.get(to_hex(device_id)) == seen:
            return
        known[to_hex(device_id)] = seen
        partial = self._path.with_suffix(".partial")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({name: asdict(one) for name, one in known.items()}, indent=1))
            partial.replace(self._path)
        except OSError as error:
            log.warning("the slots of cards were not recorded", file=str(self._path), error=error.strerror)


@dataclass(frozen=True)
class Binding:
    """A device and its card: `reading` where the card is here, `name` the CDI name. `fault` keeps it from proving,
    `name_fault` only from being leased to somebody's container, `moved` is told and keeps it from nothing.
    """

    device: OwnDevice
    reading: CardReading | None = None
    name: str | None = None
    fault: CardFault | None = None
    name_fault: CardFault | None = None
    moved: CardFault | None = None


class Bindings:
    """All devices of this host. Calls block: make them from a worker thread."""

    def __init__(
        self,
        devices: Mapping[DeviceId, OwnDevice],
        reader: CardReader,
        given: GpuNames,
        book: CardBook,
        *,
        has_gpus: bool,
        folders: Sequence[Path] = cdi.FOLDERS,
    ) -> None:
        """`given` are the names that the settings give; with `has_gpus` a device whose card is not known may be any."""
        self._devices = devices
        self._reader = reader
        self._given = given
        self._book = book
        self._has_gpus = has_gpus
        self._folders = folders
        self._bindings: dict[bytes, Binding] = {}
        self._told_moved: dict[bytes, CardFault] = {}

    def look(self) -> Mapping[bytes, Binding]:
        """All bindings as they are now; the log says what has changed since they were last seen."""
        named = cdi.read_cdi(self._folders)
        known = self._book.read()
        self._bindings = {
            device_id: self._bind(device, named, known.get(to_hex(device_id)))
            for device_id, device in self._devices.items()
        }
        return self._bindings

    def of(self, device_ids: Iterable[DeviceId]) -> tuple[str, ...]:
        """The CDI names of a lease's cards, in its devices' order: each exactly its own. Raises Unavailable, with the
        fault, for a device whose card has none that can be trusted.
        """
        names: list[str] = []
        for device_id in device_ids:
            binding = self._bindings.get(device_id)
            if binding is None:
                names += self._given.of([device_id])
                continue
            if fault := binding.name_fault:
                raise Unavailable(f"device {binding.device.name}: {fault}")
            if binding.device.card and binding.name is not None and not self._given.of([device_id]):
                names.append(binding.name)
            names += self._given.of([device_id])
        return tuple(names)

    def __getitem__(self, device_id: DeviceId) -> Binding:
        return self._bindings[device_id]

    def all(self) -> list[Binding]:
        """As of the last look."""
        return list(self._bindings.values())

    def _bind(self, device: OwnDevice, named: Mapping[str, cdi.CdiDevice], seen: SeenCard | None) -> Binding:
        given = self._given.of([device.device_id])
        if not device.card:
            fault = None
            if device.specification is None and self._has_gpus:
                what = "the card of this device is unknown: its specification is not stored on this host"
                fault = CardFault(CardFaultKind.UNKNOWN_CARD, what)
            return Binding(device, name=given[0] if given else None, fault=fault)
        try:
            reading = self._reader.one(device.card)
        except CardError as error:
            return Binding(device, fault=self._where_it_was(device, error.fault, seen), name_fault=error.fault)
        moved = self._moved(device, reading, seen)
        try:
            name, name_fault = self._name(reading, named, given)
        except CardError as error:
            name, name_fault = None, error.fault
        self._book.note(device.device_id, SeenCard(device.card, reading.bus, name))
        return Binding(device, reading, name, None, name_fault, moved)

    def _name(
        self, reading: CardReading, named: Mapping[str, cdi.CdiDevice], given: tuple[str, ...]
    ) -> tuple[str | None, CardFault | None]:
        if given:
            for name in given:
                behind = named.get(name)
                nodes = behind.minors if behind is not None and reading.minor is not None else frozenset()
                if behind is not None and nodes and nodes != {reading.minor}:
                    return None, self._wrong(name, behind, reading)
            return given[0], None
        if reading.is_slice:
            _, number = self._reader.card_of_slice(reading.uuid)
            found = cdi.name_of_slice(named.values(), reading.uuid, reading.index, number, reading.minor)
        else:
            found = cdi.name_of_card(named.values(), reading.uuid, reading.index, reading.minor)
        if found is not None:
            return found, None
        stale = named.get(f"{cdi.NVIDIA}={reading.uuid}")
        if stale is not None:
            return None, self._wrong(stale.name, stale, reading)
        where = " and ".join(map(str, self._folders))
        return None, CardFault(CardFaultKind.NO_CARD_NAME, f"no CDI file in {where} names {reading.uuid}")

    def _wrong(self, name: str, behind: cdi.CdiDevice, reading: CardReading) -> CardFault:
        others = ", ".join(
            f"/dev/nvidia{n} ({self._reader.uuid_of_minor(n) or 'no card'})" for n in sorted(behind.minors)
        )
        what = f"{name} stands for {others}, {reading.uuid} is /dev/nvidia{reading.minor}"
        return CardFault(CardFaultKind.WRONG_CARD_NAME, what)

    def _moved(self, device: OwnDevice, reading: CardReading, seen: SeenCard | None) -> CardFault | None:
        if seen is None or seen.card != device.card or seen.bus == reading.bus:
            return self._told_moved.get(device.device_id)
        what = f"card {device.card} stands at {reading.bus} now, it stood at {seen.bus}"
        log.warning("a card has moved", device=device.name, card=device.card, was=seen.bus, stands=reading.bus)
        self._told_moved[device.device_id] = CardFault(CardFaultKind.MOVED, what, blocks=False)
        return self._told_moved[device.device_id]

    def _where_it_was(self, device: OwnDevice, fault: CardFault, seen: SeenCard | None) -> CardFault:
        if fault.kind is not CardFaultKind.NOT_THERE:
            return fault
        place = f"; it stood at {seen.bus}" if seen is not None and seen.bus else ""
        return CardFault(
            CardFaultKind.NOT_THERE, f"card {device.card} of device {device.name} is not in this host{place}"
        )
