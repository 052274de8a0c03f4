"""Devices with their endpoints, followed through the registry's events."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum

from assay.chain.errors import ChainError
from assay.chain.rpc.abi_values import announced
from assay.chain.rpc.blocks import Block
from assay.chain.rpc.client import At, Chain
from assay.chain.rpc.events import DecodedLog, event_pieces
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.types import DeviceId

MAX_TOPICS = 256
_EVENTS = ("DeviceEnrolled", "DeviceEndpoint", "DeviceRetired")


class DeviceStatus(IntEnum):
    """As in IDeviceRegistry."""

    NONE = 0
    ACTIVE = 1
    RETIRED = 2
    SLASHED = 3


@dataclass(frozen=True, slots=True)
class Device:
    """`endpoint` and `tls_fingerprint` are the provider's latest announcement; that it is visible text is all that is
    known of it. Empty where it is not, or none was made."""

    device_id: DeviceId
    provider: str
    device_key: str
    profile_id: int
    spec_hash: bytes
    status: DeviceStatus = DeviceStatus.ACTIVE
    endpoint: str = ""
    tls_fingerprint: bytes = bytes(32)
    enrolled_block: int = 0


class DeviceDirectory:
    """All devices as of a block, or `only` some of them; each refresh reads only what is new."""

    def __init__(self, chain: Chain, only: Collection[bytes] | None = None) -> None:
        self._chain = chain
        # Nodes take lists of so many topics, and not of any length.
        self._only = sorted(only) if only is not None and len(only) <= MAX_TOPICS else None
        self._devices: dict[DeviceId, Device] = {}
        self._next = chain.deployment.block
        self._last: Block | None = None

    async def refresh(self, at: Block | None = None) -> dict[DeviceId, Device]:
        """Devices by id as of `at` (None: the latest final block), ascending. Starts over after a reorg.

        Raises ChainError where the logs show another number of devices than the registry counts: a node that leaves
        some out would have honest seats void what others seal.
        """
        at = at or await self._chain.finalised()
        behind = self._last is not None and at.number < self._last.number
        if behind or (self._last is not None and not await self._chain.is_canonical(self._last)):
            self._devices, self._next = {}, self._chain.deployment.block
        if self._only == []:
            return {}
        where = None if self._only is None else {"deviceId": self._only}
        async for end, events in event_pieces(self._chain, "DeviceRegistry", _EVENTS, self._next, at, where=where):
            for event in events:
                apply_event(self._devices, event)
            self._next = end + 1
        if self._only is None:
            await self._require_all(at)
        self._last = at
        return dict(sorted(self._devices.items()))

    async def _require_all(self, at: Block) -> None:
        abi = self._chain.deployment.contract("DeviceRegistry").abi
        if not any(item.get("name") == "deviceCount" for item in abi):
            return
        count = int(await self._chain.call("DeviceRegistry", "deviceCount", at=at))
        if count == len(self._devices):
            return
        shown, self._devices, self._next = len(self._devices), {}, self._chain.deployment.block
        if self._chain.log_cache is not None:
            self._chain.log_cache.clear()
        raise ChainError(
            f"the logs up to block {at.number} enrol {shown} devices, the registry counts {count}: "
            "the node lacks logs or leaves some out, name another with --rpc"
        )

    async def active(self, at: Block | None = None) -> dict[DeviceId, Device]:
        """As `refresh`, devices that are neither retired nor slashed."""
        devices = await self.refresh(at)
        return {i: d for i, d in devices.items() if d.status is DeviceStatus.ACTIVE}


def apply_event(devices: dict[DeviceId, Device], event: DecodedLog) -> None:
    """What one registry event says, written into `devices`.

    Raises ChainError where a device's id is not that of its provider and key: a node that lies about the key could have
    honest seats seal what the device never signed.
    """
    device_id = event.args["deviceId"]
    if event.name == "DeviceEnrolled":
        bound = device_id_of(event.args["provider"], event.args["deviceKey"])
        if bound != device_id:
            raise ChainError(
                f"block {event.block_number} enrols device 0x{device_id.hex()} with a key whose id is 0x{bound.hex()}: "
                "the node's data is false, name another with --rpc"
            )
        devices[device_id] = Device(
            device_id,
            event.args["provider"],
            event.args["deviceKey"],
            event.args["profile"],
            event.args["specHash"],
            enrolled_block=event.block_number,
        )
    elif device_id not in devices:
        return
    elif event.name == "DeviceEndpoint":
        devices[device_id] = replace(
            devices[device_id],
            endpoint=announced(event.args["endpoint"]),
            tls_fingerprint=event.args["tlsFingerprint"],
        )
    elif event.name == "DeviceRetired":
        devices[device_id] = replace(devices[device_id], status=DeviceStatus(event.args["status"]))


async def read_devices(chain: Chain, at: Block | None = None) -> dict[DeviceId, Device]:
    """All devices by id, ascending, read from the first block on."""
    return await DeviceDirectory(chain).refresh(at)


async def enrol_nonce(chain: Chain, device_key: str, at: At = "latest") -> int:
    """The nonce the device key's next Enrol must carry."""
    nonce: int = await chain.call("DeviceRegistry", "enrolNonce", device_key, at=at)
    return nonce
