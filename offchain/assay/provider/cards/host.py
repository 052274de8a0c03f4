"""The cards of one host, put together: bindings, the look at them, workers, and their hand-over to renters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from assay.chain.contracts.leases import active_lease
from assay.chain.rpc.client import Chain
from assay.protocol.hexadecimal import to_hex
from assay.protocol.types import DeviceId, Seed
from assay.provider.cards.bindings import Binding, Bindings, CardBook
from assay.provider.cards.card_worker import CardWorker, Look, WorkerReport, no_look
from assay.provider.cards.faults import CardFault
from assay.provider.cards.hand_over import CardHandOver
from assay.provider.cards.provers import Provers, process_launcher, proofs_folder
from assay.provider.cards.readings import CardReader, CardReading
from assay.provider.cards.watch import CardWatch
from assay.provider.cards.worker_process import WorkerOrder
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import GpuNames, read_inventory
from assay.provider.measurement.trap_engines import proves_on_card, require_engine
from assay.provider.settings import ProviderSettings

PROOFS_PER_DEVICE = 4
LOOK_S = 5.0
log = structlog.get_logger()


@dataclass
class HostCards:
    """`needs_names`: containers are to get the cards, by names that can be trusted."""

    devices: Mapping[DeviceId, OwnDevice]
    bindings: Bindings
    watch: CardWatch
    provers: Provers
    hand_over: CardHandOver
    needs_names: bool
    _looking: asyncio.Future[Any] | None = None
    _preparing: asyncio.Task[None] | None = None
    _told: dict[bytes, tuple[CardFault | None, ...]] = field(default_factory=dict)

    async def look(self) -> None:
        """At every block: what is where, and what is wrong with it; the log says what is new."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(asyncio.to_thread(self.bindings.look))
        # A driver that hangs holds up neither leases nor the other looks.
        await asyncio.wait({self._looking}, timeout=LOOK_S)
        if self._looking.done() and (error := self._looking.exception()) is not None:
            log.warning("cards and their CDI names were not checked", error=str(error))
        for binding in self.bindings.all():
            told = (binding.fault, binding.name_fault if self.needs_names else None)
            if self._told.get(binding.device.device_id) != told:
                self._told[binding.device.device_id] = told
                for fault in filter(None, told):
                    log.warning("something is wrong with a card", device=binding.device.name, **fault.to_json())
        await self.provers.look()

    def prepare(self, epoch_seed: Seed) -> None:
        """Has every place that is free make ready for an epoch, beside the leases: a card that is slow to start, or
        hangs, holds up none of them.
        """
        if self._preparing is not None:
            self._preparing.cancel()  # that epoch is over
        self._preparing = asyncio.create_task(self.provers.prepare(epoch_seed), name="preparing for an epoch")

    def obstacle(self, device_ids: Iterable[DeviceId]) -> str | None:
        """Why a renter could not have these devices now; None where nothing is in the way."""
        for device_id in device_ids:
            if device_id not in self.devices:
                continue
            if other := self.hand_over.leased_as(device_id):
                return f"device {to_hex(device_id)}: its card is leased as device {other.name}"
            if fault := self._fault(device_id):
                return f"device {to_hex(device_id)}: {fault}"
        return None

    def names(self, device_ids: Collection[DeviceId]) -> tuple[str, ...]:
        """The CDI names of the cards of a lease. Raises Unavailable for a card without one that can be trusted."""
        return self.bindings.of(device_ids) if self.needs_names else ()

    def uuids(self) -> dict[DeviceId, str]:
        """The cards of those devices that are GPUs."""
        return {device_id: device.card for device_id, device in self.devices.items() if device.card}

    def reports(self) -> list[WorkerReport]:
        return self.provers.reports()

    def readings(self) -> Mapping[str, CardReading]:
        """What the cards told last, by uuid."""
        return self.watch.latest

    def status(self) -> list[dict[str, Any]]:
        """Each device with its card, as it is told to people and programs."""
        places = {report.place: report for report in self.reports()}
        return [self._line(binding, places[binding.device.place]) for binding in self.bindings.all()]

    def works(self) -> bool:
        """Whether at least one place proves, may yet, or is a renter's."""
        return any(report.state != "down" for report in self.reports())

    async def close(self) -> None:
        """Ends all workers."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self.provers.close()

    def _fault(self, device_id: DeviceId) -> CardFault | None:
        binding = self.bindings[device_id]
        return binding.fault or (binding.name_fault if self.needs_names else None) or self.provers.fault(device_id)

    def _line(self, binding: Binding, report: WorkerReport) -> dict[str, Any]:
        fault = self._fault(binding.device.device_id) or report.fault or binding.moved
        known = fault.to_json() if fault else {"fault": None}
        return {"device": binding.device.name, **report.to_json(), "name": binding.name, **known}


async def host_cards(
    settings: ProviderSettings, chain: Chain, devices: Mapping[DeviceId, OwnDevice], runtime: str
) -> HostCards:
    """Looks at the cards and makes their workers, none of which is started yet. Raises ProviderError for an engine that
    does not exist and for names of cards that cannot be.
    """
    require_engine(settings.engine, chain.chain_id)
    reader, on_card = CardReader(), proves_on_card(settings.engine)
    given = GpuNames.parse(settings.container_gpus, devices)
    unknown = any(device.specification is None for device in devices.values())
    has_gpus = on_card and unknown and await asyncio.to_thread(_has_gpus)
    bindings = Bindings(devices, reader, given, CardBook(settings.data_dir), has_gpus=has_gpus)
    await asyncio.to_thread(bindings.look)
    cards = {device.card for device in devices.values() if device.card}
    places = {device.place for device in devices.values()}
    if cards and not on_card:
        log.warning("the processor proves instead of this host's cards", engine=settings.engine)
    watch = CardWatch(reader, len(cards), settings.engine)
    launch = process_launcher(len(places))

    def order(place: str, card: str, opens_only: bool = False) -> WorkerOrder:
        of_place = [device for device in devices.values() if device.place == place]
        folder = str(proofs_folder(settings.data_dir, place))
        return WorkerOrder(
            card, settings.engine, chain.chain_id, PROOFS_PER_DEVICE * max(len(of_place), 1), folder, opens_only
        )

    def look_at(device: OwnDevice) -> Look:
        if device.card:
            return watch.of(device.card)
        fault = bindings[device.device_id].fault

        async def told(_profile: object, _ours: object) -> CardFault | None:
            return fault

        return told if fault is not None else no_look

    def worker(device: OwnDevice) -> CardWorker:
        # Nobody knows yet which of them are leased: the first round over the leases puts the others to work.
        return CardWorker(order(device.place, device.card), launch, look_at(device), place=device.place, off=True)

    def stand_in(place: str) -> CardWorker:
        return CardWorker(order(place, "", opens_only=True), launch, place=f"{place} (kept proofs)")

    provers = Provers(devices, worker, stand_in, watch, settings.data_dir)
    hand_over = CardHandOver(provers, devices, partial(_active_at_head, chain))
    return HostCards(devices, bindings, watch, provers, hand_over, needs_names=runtime == "container")


async def _active_at_head(chain: Chain, device_id: DeviceId) -> int:
    return await active_lease(chain, device_id, "latest")


def _has_gpus() -> bool:
    inventory = read_inventory()
    return inventory.has_gpu or bool(inventory.faults)
