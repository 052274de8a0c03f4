"""Asking devices through the epoch whether they are there."""

from __future__ import annotations

import asyncio

from assay.validator.errors import DeviceFailure
from assay.validator.rules.values import Device
from assay.validator.work import Work

TIMEOUT_S = 10.0
AT_ONCE = 64


async def watch_liveness(work: Work) -> None:
    """Asks every enrolled device, leased ones too, again and again until observations close or it is
    cancelled.
    """
    slots = asyncio.Semaphore(AT_ONCE)
    while work.now() < work.context.deadlines.observe_by:
        devices = [work.context.devices[d] for d in sorted(work.context.devices)]
        await asyncio.gather(*(_ask(work, device, slots) for device in devices))
        await work.services.clock.sleep(work.services.pace.liveness_s)


async def _ask(work: Work, device: Device, slots: asyncio.Semaphore) -> None:
    async with slots:
        try:
            alive = await work.services.devices.alive(device, work.services.random(32), TIMEOUT_S)
        except DeviceFailure:
            alive = False
    work.services.store.count_liveness(work.context.epoch, device.device_id, alive)
