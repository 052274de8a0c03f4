"""What a device that is to be enrolled promises of its host: fixed with its specification, and so reckoned once."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.rpc.client import Chain
from assay.protocol.specification import DeclaredHost
from assay.protocol.types import DeviceId
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting
from assay.provider.pods.layout import held_bytes
from assay.provider.pods.share import beside, beside_images, declared, device_share, read_host, wanted_part
from assay.provider.settings import ProviderSettings


async def standing_parts(chain: Chain, kept: Specifications) -> dict[DeviceId, DeclaredHost | None]:
    """What the active devices of this host promise, of those whose specifications are kept here. Raises ChainError."""
    found = {}
    for device_id in kept.known():
        row = await chain.call("DeviceRegistry", "device", device_id, at="latest")
        if DeviceStatus(row.status) is DeviceStatus.ACTIVE:
            document = kept.of_device(device_id, bytes(row.specHash)) or {}
            found[device_id] = DeclaredHost.parse(document.get("host"))
    return found


def new_part(
    settings: ProviderSettings, cards: int, coming: int, standing: Collection[DeclaredHost | None]
) -> DeclaredHost | None:
    """The part of one more device: of what the `standing` ones leave, in equal parts to the host's other `cards`,
    or to as many as are `coming` where those are more. None where no pods are served. Raises BadProviderSetting where
    too little is left."""
    if settings.runtime != "container":
        return None
    promised = [one for one in standing if one is not None]
    host = read_host(settings.data_dir, held_bytes(_leases(settings)))
    kept, wanted = beside_images(settings, host), wanted_part(settings)  # which disk they are on, only an engine tells
    rest, others = beside(kept, promised), len(standing)
    try:
        with contextlib.suppress(BadProviderSetting):
            equal = declared(device_share(host, kept, max(cards, others + coming), wanted))
            full = beside(rest, [equal])
            enough = (len(host.cores), host.memory_bytes, host.disk_bytes)
            if all(a <= b for a, b in zip((full.cores, full.memory_bytes, full.disk_bytes), enough, strict=True)):
                return equal
        return declared(device_share(host, rest, max(1, coming, cards - others), wanted))
    except BadProviderSetting as error:
        told = f"; {len(promised)} devices that are enrolled here have the rest" if promised else ""
        raise BadProviderSetting(f"{error}{told}. A host that serves no pods says --runtime bubblewrap") from None


def _leases(settings: ProviderSettings) -> Path:
    return settings.data_dir / "leases"
