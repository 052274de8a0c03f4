"""What pods and cards use: sampled, bounded, told to the lease's renter alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from assay.chain.contracts.leases import Lease
from assay.protocol.types import DeviceId
from assay.provider.cards.faults import CardFault, CardFaultKind
from assay.provider.cards.readings import CardActivity, CardError, CardReader
from assay.provider.devices.device import OwnDevice
from assay.provider.images.lease_images import LeaseImages
from assay.provider.pods.pod import HostShare, PodUse
from assay.provider.watch.use import HOUR, LeaseUse, UseCollector, UseHistory
from assay.templates.loading import shipped
from assay.wire.pods import UseBody
from tests.unit.provider.api_bench import Api, serving
from tests.unit.provider.conftest import ChainFake
from tests.unit.provider.pods_memory import MemoryImages, MemoryPods

BUSY = CardActivity(97, 60 << 30, 80 << 30, 71, 655.5)


class Pods:
    """Pods whose n-th measurement says n."""

    def __init__(self, *leases: int) -> None:
        self.leases, self.measured, self.running = list(leases), 0, True

    def known(self) -> list[int]:
        return self.leases

    def use(self, lease_id: int) -> PodUse | None:
        self.measured += 1
        return PodUse(float(self.measured), 2.0 * self.measured, 3, 4, 5, 6, 7) if self.running else None


def test_history__for_longer_than_an_hour__keeps_the_newest_hour_and_forgets_leases_that_are_gone() -> None:
    pods = Pods(3)
    history = UseHistory(pods)
    for _ in range(HOUR + 5):
        history.sample()
    assert len(history.of(3)) == HOUR and history.of(3)[-1].at == HOUR + 5
    pods.running = False
    history.sample()
    assert history.newest() == {}
    assert history.of(3)[-1].at == HOUR + 5  # a pod that stands still has used nothing more
    pods.leases = []
    history.sample()
    assert history.of(3) == [] and history.newest() == {}


def test_metrics__of_pods__are_the_last_samples_by_lease() -> None:
    history = UseHistory(Pods(3))
    history.sample()
    registry = CollectorRegistry()
    registry.register(UseCollector(history, lambda: {3: HostShare(disk_bytes=9), 4: HostShare()}))
    told = generate_latest(registry).decode()
    assert 'assay_pod_disk_share_bytes{lease="3"} 9.0' in told and 'lease="4"' not in told
    assert 'assay_pod_cpu_seconds_total{lease="3"} 2.0' in told and 'assay_pod_disk_bytes{lease="3"} 4.0' in told


async def test_cards__however_many_ask__are_read_once_a_second(device: OwnDevice) -> None:
    asked, now = [], 0.0

    def read(uuid: str) -> CardActivity:
        asked.append(uuid)
        if uuid == "GPU-lost":
            raise CardError(CardFault(CardFaultKind.LOST, "gone"))
        return BUSY

    other = DeviceId(bytes(32))
    use = LeaseUse(Pods(3), {device.device_id: "GPU-1", other: "GPU-lost"}, read, lambda: now)
    shown = await asyncio.gather(*(use.show(3, [device.device_id, other]) for _ in range(5)))
    assert sorted(asked) == ["GPU-1", "GPU-lost"]
    assert [one for _, one in shown[0].cards] == [BUSY, None]
    now = 1.5
    assert [one for _, one in (await use.show(3, [device.device_id])).cards] == [BUSY]
    assert len(asked) == 4


async def test_cards__a_driver_that_hangs__tells_nothing_and_is_asked_once(
    device: OwnDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.provider.watch.use.PATIENCE_S", 0.01)
    asked, go = [], threading.Event()

    def read(uuid: str) -> CardActivity:
        asked.append(uuid)
        go.wait(10)
        return BUSY

    use = LeaseUse(Pods(3), {device.device_id: "GPU-1"}, read)
    for _ in range(3):
        assert [one for _, one in (await use.show(3, [device.device_id])).cards] == [None]
    assert asked == ["GPU-1"]
    go.set()


class NvmlError(Exception):
    value = 3


def nvml(*refused: str) -> Any:
    def refuse(*_: object) -> Any:
        raise NvmlError("not supported")

    base: dict[str, Any] = {
        "NVMLError": NvmlError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=60 << 30, total=80 << 30),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=97),
        "nvmlDeviceGetTemperature": lambda handle, sensor: 71,
        "nvmlDeviceGetPowerUsage": lambda handle: 655_500,
    }
    return SimpleNamespace(**{**base, **dict.fromkeys(refused, refuse)})


def test_activity__of_a_card__is_load_memory_heat_and_power_and_of_a_slice_its_memory_alone() -> None:
    assert CardReader(nvml()).activity("GPU-1") == BUSY
    assert CardReader(nvml("nvmlDeviceGetPowerUsage")).activity("GPU-1").power is None
    own = CardReader(nvml()).activity("MIG-1")
    assert (own.load, own.temperature, own.power, own.memory_used) == (None, None, None, 60 << 30)
    with pytest.raises(CardError):
        CardReader(nvml("nvmlDeviceGetHandleByUUID")).activity("GPU-1")


@pytest.fixture
async def api(tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease) -> AsyncIterator[Api]:
    use = LeaseUse(Pods(3), {device.device_id: "GPU-1"}, lambda uuid: BUSY)
    use.history.sample()
    pods = MemoryPods()
    leases = LeaseImages(MemoryImages(), pods, shipped(), 1_000, lambda: 0.0)
    async with serving(tmp_path, chain, device, lease, images=leases, pod_control=pods, use=use) as one:
        yield one


async def test_use__asked_by_the_renter__is_pod_hour_and_cards(api: Api, device: OwnDevice) -> None:
    answer = UseBody.model_validate((await api.signed("GET", "/use")).json())
    assert (answer.now and answer.now.cpu_seconds, [one.at for one in answer.hour]) == (4.0, [1.0])
    assert [(one.device_id, one.load, one.power) for one in answer.cards] == [(device.name, 97, 655.5)]


async def test_use__asked_by_anybody_else__is_refused(api: Api) -> None:
    assert (await api.client.get("/v1/leases/3/use")).status_code in (401, 403)
