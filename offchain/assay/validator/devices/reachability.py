"""Dials a device where the registry says it is, for its provider who cannot see itself from outside.

No amplifier: only what the device's own key has signed a moment ago, only the registered origin, one small request,
some a minute for each device and a few at once in all.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from assay.chain.rpc.blocks import Block
from assay.network.request_buckets import RequestBuckets
from assay.network.slots import NoSlot, Slots
from assay.protocol.hexadecimal import to_hex
from assay.protocol.signing import signed_by
from assay.protocol.types import DeviceId
from assay.validator.errors import DeviceFailure, Refused
from assay.validator.ports import ChainReader, Clock, Devices
from assay.validator.rules.values import EpochDevice
from assay.wire.reachability import MAX_FOUND, Reached, SignedReachabilityRequest

MAX_AGE_S = 120.0
BURST, PER_SECOND = 3, 1 / 20  # of one device
MAX_CONCURRENCY = 8
TIMEOUT_S = 8.0
CACHE_US = 10_000_000  # devices are read this rarely, whatever strangers ask


class Reachability:
    """`final` gives the latest final block, None before there is one; `random` fresh bytes."""

    def __init__(
        self,
        reader: ChainReader,
        devices: Devices,
        clock: Clock,
        final: Callable[[], Block | None],
        random: Callable[[int], bytes],
    ) -> None:
        self._reader, self._devices, self._clock, self._final, self._random = reader, devices, clock, final, random
        self._buckets = RequestBuckets(PER_SECOND, BURST, lambda: clock.elapsed_us() / 1e6)
        self._slots = Slots(MAX_CONCURRENCY, MAX_CONCURRENCY)
        self._known: dict[DeviceId, EpochDevice] = {}
        self._read_at: int | None = None

    async def look(self, request: SignedReachabilityRequest) -> Reached:
        """Dials the device once. Raises Refused for a request that is old or not the device's own, for a device that is
        not in the registry, and where too much is asked."""
        now = self._clock.now()
        if abs(now - request.issued_at) > MAX_AGE_S:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                f"signed at {request.issued_at}, it is {now:.0f} here: set the clock, {MAX_AGE_S:.0f} s are allowed",
            )
        device = await self._device(request.device_id)
        if not signed_by(request.message.digest(self._reader.domain), request.signature, device.device_key):
            raise Refused(HTTPStatus.UNAUTHORIZED, f"not signed by the key of device {to_hex(request.device_id)}")
        if (wait := self._buckets.take(to_hex(request.device_id))) > 0:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"this device was just checked: ask again in {wait:.0f} s")
        try:
            slot = self._slots.take("")
        except NoSlot as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None
        began = self._clock.elapsed_us()
        try:
            reached, found = await self._dial(device)
        finally:
            slot.give_back()
        return Reached(
            endpoint=device.endpoint,
            reached=reached,
            found=found[:MAX_FOUND],
            milliseconds=(self._clock.elapsed_us() - began) // 1_000,
        )

    async def _dial(self, device: EpochDevice) -> tuple[bool, str]:
        try:
            if await self._devices.alive(device, self._random(32), TIMEOUT_S):
                return True, "the device's own key answered"
        except DeviceFailure as error:
            return False, str(error)
        return False, "something answers there, without the device's key: another host, or a daemon without this device"

    async def _device(self, device_id: DeviceId) -> EpochDevice:
        """The device as of a final block some seconds ago. Raises Refused."""
        block = self._final()
        if block is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "no final block is read yet: ask again in a moment")
        now = self._clock.elapsed_us()
        if self._read_at is None or now - self._read_at >= CACHE_US:
            self._read_at = now
            self._known = {one.device_id: one for one in await self._reader.devices(block)}
        device = self._known.get(device_id)
        if device is None:
            raise Refused(
                HTTPStatus.NOT_FOUND,
                f"no active device {to_hex(device_id)} is known here: one that was just enrolled is some seconds after "
                "its block is final",
            )
        return device
