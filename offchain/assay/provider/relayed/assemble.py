"""The link to a relay that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog

from assay.chain.certificate import fingerprint_in
from assay.chain.contracts.devices import DeviceStatus
from assay.network.origins import parse_origin
from assay.protocol.hexadecimal import parse_bytes32
from assay.protocol.signing import Domain
from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import ProviderError
from assay.provider.relayed.relay_client import Identity, RelayClient, local_opener, relay_opener, told
from assay.provider.settings import ProviderSettings

log = structlog.get_logger()


def make_relay_client(
    settings: ProviderSettings, devices: Mapping[DeviceId, OwnDevice], domain: Domain, status: MutableMapping[str, Any]
) -> RelayClient | None:
    """None where this host is reached directly. `domain` is the registry's; the link is told in the status. Raises
    ProviderError without a certificate of this daemon's own, or a device that is enrolled."""
    if settings.relay is None or settings.relay_fingerprint is None:
        return None
    if fingerprint_in(settings.data_dir / "tls") is None:
        raise ProviderError(
            f"{settings.data_dir / 'tls'} holds no certificate: without TLS of our own the relay would read everything;"
            " `assay provider init` makes one"
        )
    device = next((devices[one] for one in sorted(devices) if devices[one].status is DeviceStatus.ACTIVE), None)
    if device is None:
        raise ProviderError("a relay takes devices that are enrolled, and none of this host's is")
    origin, pin = parse_origin(settings.relay), parse_bytes32(settings.relay_fingerprint)
    own = [settings.port] + ([] if settings.ssh_port is None else [settings.ssh_port])

    def granted(ports: Sequence[int] | None) -> None:
        status["relay"] = told(origin, ports)
        if ports is None:
            return
        if len(ports) > 1 and "ssh" in status:
            status["ssh"] = {**status["ssh"], "port": ports[1]}
        log.info("reached through the relay", announce=status["relay"]["endpoint"], ports=list(ports))

    granted(None)
    return RelayClient(
        relay_opener(origin, pin),
        local_opener(own),
        Identity(device.provider, device.sign, domain, pin),
        len(own),
        granted,
    )
