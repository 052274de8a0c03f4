"""Who may have a link: the devices that are enrolled on the chain, or those that the relay's operator lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Protocol

from assay.chain.contracts.devices import DeviceDirectory
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.signing import Domain, SignatureError
from assay.protocol.types import DeviceId
from assay.relay.errors import LinkRefused
from assay.wire.relay.messages import LinkRequest


class Admission(Protocol):
    """A view of who is let in, as of its last look."""

    def admits(self, device: DeviceId) -> bool:
        """Whether the device may have a link now."""

    def age(self) -> float:
        """Seconds since the last look; 0 where nothing is looked at."""


class Listed:
    """Those that the operator has named. The id is H of provider and key, so nothing else has to be known of them."""

    def __init__(self, devices: Collection[DeviceId]) -> None:
        self._devices = frozenset(devices)

    def admits(self, device: DeviceId) -> bool:
        return device in self._devices

    def age(self) -> float:
        return 0.0


class Enrolled:
    """Those that are neither retired nor slashed, as of the last final block that was read. No stranger has the chain
    asked: `refresh` is called at its own pace."""

    def __init__(self, directory: DeviceDirectory, now: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._now = directory, now
        self._devices: frozenset[DeviceId] = frozenset()
        self._looked = now()

    async def refresh(self) -> None:
        """Looks again. Raises ChainError; what was known stays then."""
        self._devices, self._looked = frozenset(await self._directory.active()), self._now()

    def admits(self, device: DeviceId) -> bool:
        return device in self._devices

    def age(self) -> float:
        return self._now() - self._looked


def admitted(request: LinkRequest, admission: Admission, domain: Domain, relay: bytes, nonce: bytes) -> DeviceId:
    """The device whose key signed the request at this relay, over this connection's nonce. Raises LinkRefused."""
    try:
        key = request.message(relay, nonce).recover_signer(domain, request.signature)
    except SignatureError as error:
        raise LinkRefused("signature", f"the signature does not hold: {error}") from None
    device = device_id_of(request.provider, key)
    if not admission.admits(device):
        # Whoever signed for another relay, nonce, chain or account is found here too: another key comes out.
        raise LinkRefused("stranger", f"device 0x{device.hex()} of {request.provider} is not among those let in here")
    return device
