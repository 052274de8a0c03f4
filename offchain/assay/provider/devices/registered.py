"""The devices of this host: their keys, their rows in the registry, and what they cost at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.erc20 import Erc20
from assay.chain.contracts.profiles import read_profile
from assay.chain.key_files import Key, load, password
from assay.chain.rpc.client import Chain
from assay.protocol.encoding import device_id as device_id_of
from assay.protocol.types import DeviceId
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.specifications import Specifications
from assay.provider.errors import BadProviderSetting, ProviderError
from assay.provider.offers.offers import Price, rate_of
from assay.provider.settings import ProviderSettings

log = structlog.get_logger()


def device_keys(settings: ProviderSettings) -> list[Key]:
    """Keys of the devices named, or of all in the data folder. Raises ProviderError where there is none."""
    paths: Sequence[Path] = settings.device_key or sorted(settings.devices_dir.glob("*.json"))
    if not paths:
        raise ProviderError(
            f"no device keys in {settings.devices_dir}: enrol a device first with `assay provider enrol`"
        )
    secret = password(settings.password_file)
    return [load(path, secret) for path in paths]


async def load_devices(
    chain: Chain, provider: str, keys: Sequence[Key], kept: Specifications
) -> dict[DeviceId, OwnDevice]:
    """Devices by id. A retired or slashed one is served on: its lease goes on, and demands for what it has committed to
    are still to be answered. Raises ProviderError for a key that was never enrolled with this provider.
    """
    devices = {}
    for key in keys:
        device_id = device_id_of(provider, key.address)
        row = await chain.call("DeviceRegistry", "device", device_id, at="latest")
        status = DeviceStatus(row.status)
        if status is DeviceStatus.NONE:
            raise ProviderError(
                f"device 0x{device_id.hex()} (key {key.address}, provider {provider}) is not enrolled; "
                "enrol it with `assay provider enrol`, or move its key file away"
            )
        if status is not DeviceStatus.ACTIVE:
            log.warning(
                "this device takes no more leases and is served only for what it still owes",
                device="0x" + device_id.hex(),
                status=status.name.lower(),
            )
        profile = await read_profile(chain, int(row.profile), at="latest")
        specification = kept.of_device(device_id, bytes(row.specHash))
        if specification is None:
            log.warning(
                "no specification with the registry's hash: this device is found by its measurements only",
                device="0x" + device_id.hex(),
                looked_in=str(kept.path(device_id)),
            )
        devices[device_id] = OwnDevice(
            device_id, provider, key.address, profile, key.sign_digest, specification, status
        )
    return devices


async def started_prices(
    settings: ProviderSettings, chain: Chain, devices: Mapping[DeviceId, OwnDevice]
) -> dict[DeviceId, Price]:
    """What the daemon was started with, for every device alone. Raises BadSetting, ProviderError."""
    if settings.price_per_hour is None:
        return {}
    if settings.token is None:
        raise BadProviderSetting("a price needs a token: give its address with --token")
    price = Price(
        token=settings.token,
        rate=rate_of(settings.price_per_hour, await Erc20(chain, settings.token).decimals()),
        min_duration=settings.min_duration,
        max_duration=settings.max_duration,
        valid_for=settings.offer_valid,
        notice=settings.notice,
    )
    return dict.fromkeys(devices, price)
