"""Which card proves for which device, and which cards a lease's jobs get."""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from assay.provider.devices.cards import cards_of
from assay.provider.measurement.prover import Provers, Task

from assay.proof.engines import engine
from assay.protocol.keccak import keccak
from assay.provider.devices import cards
from assay.provider.devices.inventory import Accelerator, GpuNames, Inventory
from assay.provider.errors import BadProviderSetting, ProviderError

from .conftest import DEVICES, PROFILE, SEED

IDS = [one.device_id for one in DEVICES]
NAMES = [one.name for one in DEVICES]


def with_card(number: int, uuid: str, kind: str = "gpu") -> Any:
    return replace(DEVICES[number], specification={"kind": kind, "uuid": uuid})


@pytest.fixture(autouse=True)
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuple(Accelerator("gpu", n, "H100", f"GPU-{n}", 80 << 10, "570") for n in range(2))
    monkeypatch.setattr(cards, "read_inventory", lambda: Inventory(found, None))


@pytest.mark.parametrize(
    ("engine_name", "expected"), [("mma", ["GPU-0", "GPU-1"]), ("simt", ["GPU-0", "GPU-1"]), ("cpu", [])]
)
def test_cards__of_devices__are_those_they_were_enrolled_as_and_are_here(engine_name: str, expected: list[str]) -> None:
    devices = [with_card(0, "GPU-0"), with_card(1, "GPU-1"), with_card(2, "GPU-gone")]
    assert cards_of(devices, engine_name) == expected


def test_card__of_a_processor_or_an_unknown_device__is_none() -> None:
    assert with_card(0, "cpu", kind="cpu").card == ""
    assert DEVICES[0].card == ""


async def test_provers__two_cards__prove_side_by_side_on_the_card_of_the_task() -> None:
    both = threading.Barrier(2, timeout=30)  # neither comes through alone
    selected: dict[str, str] = {}
    local = threading.local()

    class Meeting:
        """An engine that proves only while another one proves too."""

        def __init__(self) -> None:
            self._engine = engine("reference")
            self.name = "reference"

        def __getattr__(self, name: str) -> Any:
            return getattr(self._engine, name)

        def prove(self, seed: bytes) -> Any:
            both.wait()
            selected[local.card] = threading.current_thread().name
            return self._engine.prove(seed)

    provers = Provers(Meeting, ["GPU-0", "GPU-1"], 4, lambda card: setattr(local, "card", card))
    try:
        tasks = [Task(PROFILE, SEED, keccak(bytes([n])), f"GPU-{n}") for n in range(2)]
        proofs = await asyncio.gather(*(provers.prove(task) for task in tasks))
        assert len({proof.result_root for proof in proofs}) == 2
        assert set(selected) == {"GPU-0", "GPU-1"}
    finally:
        provers.close()


async def test_provers__task_of_a_card_that_is_gone__is_done_on_another() -> None:
    provers = Provers(lambda: engine("reference"), [], 4)
    try:
        first = await provers.prove(Task(PROFILE, SEED, keccak(b"seed"), "GPU-gone"))
        await provers.prepare(PROFILE, SEED, "GPU-gone")
        assert len(await provers.open(Task(PROFILE, SEED, keccak(b"seed")), [(0, 0)])) > 0
        assert first.result_root == (await provers.prove(Task(PROFILE, SEED, keccak(b"seed")))).result_root
    finally:
        provers.close()


async def test_prover__card_that_cannot_be_selected__says_so_and_is_tried_again() -> None:
    missing = [True]

    def select(card: str) -> None:
        if missing[0]:
            raise ProviderError(f"card {card} is not there")

    provers = Provers(lambda: engine("reference"), ["GPU-1"], 4, select)
    try:
        with pytest.raises(ProviderError, match="card GPU-1 is not there"):
            await provers.prepare(PROFILE, SEED, "GPU-1")
        missing[0] = False
        await provers.prepare(PROFILE, SEED, "GPU-1")
    finally:
        provers.close()


def test_select__card_by_its_uuid__whatever_its_place_among_those_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    selected: list[int] = []
    shown = [SimpleNamespace(uuid="GPU-b"), SimpleNamespace(uuid="GPU-a")]
    fake = SimpleNamespace(cuda=SimpleNamespace(gpus=shown, select_device=selected.append))
    monkeypatch.setitem(sys.modules, "assay.proof.cuda.runtime", fake)
    cards.select_card("GPU-a")
    assert selected == [1]
    with pytest.raises(ProviderError, match="GPU-c is not one that CUDA shows here: GPU-b, GPU-a"):
        cards.select_card("GPU-c")


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
