"""Which cards a lease's jobs get by the settings alone, and the names of places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.provider.devices.inventory import GpuNames
from assay.provider.errors import BadProviderSetting
from tests.unit.provider.conftest import DEVICES

IDS = [one.device_id for one in DEVICES]
NAMES = [one.name for one in DEVICES]


def with_card(number: int, uuid: str, kind: str = "gpu") -> Any:
    return replace(DEVICES[number], specification={"kind": kind, "uuid": uuid})


def test_place__of_a_card__is_its_uuid_and_of_processors_a_name_of_their_own() -> None:
    assert with_card(0, "GPU-0").place == "GPU-0"
    assert with_card(0, "cpu", kind="cpu").card == "" and DEVICES[0].card == ""
    assert len({one.place for one in DEVICES}) == 3


def test_gpu_names__by_device__go_to_leases_of_that_device_alone() -> None:
    names = GpuNames.parse([f"{NAMES[0]}:nvidia.com/gpu=0", f"{NAMES[1][:10]}:nvidia.com/gpu=1"], IDS)
    assert names.of(IDS[:1]) == ("nvidia.com/gpu=0",)
    assert names.of(IDS) == ("nvidia.com/gpu=0", "nvidia.com/gpu=1")
    assert names.of(IDS[2:]) == ()


def test_gpu_names__one_device__needs_not_be_named() -> None:
    names = GpuNames.parse(["nvidia.com/gpu=0", "nvidia.com/gpu=1"], IDS[:1])
    assert names.of(IDS[:1]) == ("nvidia.com/gpu=0", "nvidia.com/gpu=1")
    assert GpuNames.parse([], IDS).of(IDS) == ()


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["nvidia.com/gpu=all"], "3 of the 3 devices served here are meant"),  # else every lease had all cards
        (["0xfffffff:nvidia.com/gpu=0"], "0 of the 3 devices"),
        (["0x:nvidia.com/gpu=0"], "3 of the 3 devices"),
        ([NAMES[0]], "expected DEVICE:NAME"),
        ([f"{NAMES[0]}:gpu=0", f"{NAMES[1]}:gpu=0"], "gpu=0 stands for more than one device"),
        ([f"{NAMES[0]}:gpu=0", f"{NAMES[0]}:gpu=0"], "or twice"),
    ],
)
def test_gpu_names__from_which_a_lease_could_get_anothers_card__are_refused(entries: list[str], said: str) -> None:
    with pytest.raises(BadProviderSetting, match=said):
        GpuNames.parse(entries, IDS)
