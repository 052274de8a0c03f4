"""What an invented NVML of eight cards tells, each fault by its name; and names of cards that must not be another's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.protocol.profile import NAMED
from assay.provider.cards import readings, watch
from assay.provider.cards.bindings import Bindings, CardBook, SeenCard
from assay.provider.cards.cdi import read_cdi
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind
from assay.provider.cards.readings import CardError, CardReader, min_memory
from assay.provider.cards.watch import CardWatch
from assay.provider.devices.inventory import GpuNames, read_inventory
from assay.provider.errors import Unavailable
from tests.invented_cards.pynvml import GIB, LOST, NOT_LOADED, RESET_REQUIRED, Invented, card, slice_of
from tests.unit.provider.conftest import DEVICES

DATACENTER = NAMED["datacenter"]
OURS = frozenset({4711})


class Host:
    """Eight cards, and what a test makes of them."""

    def __init__(self) -> None:
        self.cards = [card(number) for number in range(8)]
        self.state: dict[str, Any] = {"cards": self.cards}
        self.nvml = Invented(lambda: self.state)
        self.reader = CardReader(self.nvml)
        self.now = 0.0
        self.watch = CardWatch(self.reader, 8, clock=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def uuid(self, number: int) -> str:
        return str(self.cards[number]["uuid"])

    async def fault(self, number: int, profile: Any = None, ours: frozenset[int] = OURS) -> CardFault | None:
        return await self.watch.of(self.uuid(number))(profile, ours)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.mark.parametrize(
    ("changes", "kind", "said", "blocks"),
    [
        ({"temperature": 93}, CardFaultKind.TOO_HOT, "93 °C, its limit is 92 °C", True),
        ({"ecc": 2}, CardFaultKind.ECC_ERRORS, "2 uncorrected", True),
        ({"fault": LOST}, CardFaultKind.LOST, "GPU is lost", True),
        ({"fault": RESET_REQUIRED}, CardFaultKind.DRIVER_RESET, "requires reset", True),
        ({"fault": 4}, CardFaultKind.NO_PERMISSION, "Insufficient Permissions", True),
        ({"fault": 999}, CardFaultKind.LOST, "error 999", True),
        ({"capability": [7, 5]}, CardFaultKind.OLD_CARD, "7.5, 8.0 is needed", True),
        ({"total": 24 * GIB}, CardFaultKind.WRONG_CLASS, "the card has 24,576", True),
        ({"processes": [[99, GIB]]}, CardFaultKind.OTHER_PROCESS, "processes 99 use it", False),
        ({"processes": [[99, 60 * GIB]]}, CardFaultKind.OUT_OF_MEMORY, "on it are processes 99", False),
        ({"processes": [[99, 79 * GIB]]}, CardFaultKind.OUT_OF_MEMORY, "on it are processes 99", True),
        ({"processes": [[4711, 79 * GIB]]}, None, "", False),  # what is ours makes way by itself
    ],
)
async def test_fault__of_one_card_of_eight__is_named_with_its_values_and_the_others_are_well(
    host: Host, changes: dict[str, Any], kind: CardFaultKind | None, said: str, blocks: bool
) -> None:
    host.cards[3].update(changes)
    faults = await asyncio.gather(*(host.fault(number, DATACENTER) for number in range(8)))
    found = faults[3]
    assert [fault for number, fault in enumerate(faults) if number != 3] == [None] * 7
    if kind is None:
        assert found is None
    else:
        assert found is not None and (found.kind, found.blocks) == (kind, blocks)
        assert said in found.what and found.to_json()["advice"]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({"init": NOT_LOADED}, CardFaultKind.NO_DRIVER),
        ({"init": 12}, CardFaultKind.NO_DRIVER),
        ({"init": 18}, CardFaultKind.DRIVER_RESET),
        ({"cuda": 12020}, CardFaultKind.OLD_DRIVER),
    ],
)
async def test_fault__of_the_driver__is_every_cards_and_gone_with_it(
    host: Host, state: dict[str, Any], kind: CardFaultKind
) -> None:
    host.state.update(state)
    for number in (0, 7):
        found = await host.fault(number)
        assert found is not None and found.kind is kind and found.blocks
    for name in state:
        del host.state[name]
    assert await host.fault(0) is None  # looked at again, with the driver opened anew


async def test_fault__of_a_processor_in_a_cards_stead__asks_nothing_of_driver_and_generation(host: Host) -> None:
    host.cards[0].update(capability=[6, 1])
    looked = CardWatch(host.reader, 8, "cpu")
    assert await looked.of(host.uuid(0))(None, OURS) is None
    host.cards[0].update(temperature=94)
    found = await looked.of(host.uuid(0))(None, OURS)
    assert found is not None and found.kind is CardFaultKind.TOO_HOT
    looked.close()


async def test_driver__that_hangs__delays_a_proof_by_a_second_and_no_other_card(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    go_on, read = threading.Event(), host.reader.one
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    monkeypatch.setattr(
        host.reader, "one", lambda uuid: (go_on.wait(10), read(uuid))[1] if uuid == host.uuid(2) else read(uuid)
    )
    hung, well = await asyncio.gather(host.fault(2), host.fault(3))
    assert well is None and hung is not None
    assert (hung.kind, hung.blocks) == (CardFaultKind.SLOW_DRIVER, False)
    go_on.set()


async def test_permission__on_a_cards_node__is_asked_of_the_system(
    host: Host, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "nvidia3").touch()
    host.reader._dev = tmp_path
    assert await host.fault(3) is None
    monkeypatch.setattr(readings.os, "access", lambda path, mode: False)
    found = await host.fault(3)
    assert found is not None and found.kind is CardFaultKind.NO_PERMISSION and "nvidia3" in found.what
    assert await host.fault(2) is None  # no such node: not told


async def test_release__while_anything_is_on_the_card__waits_and_then_names_it(host: Host) -> None:
    await host.watch.require_free(host.uuid(1), OURS)
    host.cards[1].update(processes=[[4711, 70 * GIB]])
    with pytest.raises(CardFailed, match=r"not-released.*after 20 s processes 4711 \(ours\) are on it"):
        await host.watch.require_free(host.uuid(1), OURS)
    host.cards[1].update(processes=[[4712, GIB]])
    with pytest.raises(CardFailed, match=r"processes 4712 are on it"):
        await host.watch.require_free(host.uuid(1), OURS)
    host.cards[1].update(processes=[], fault=LOST)
    with pytest.raises(CardFailed, match="cannot be read"):
        await host.watch.require_free(host.uuid(1), OURS)


async def test_release__of_a_card_that_tells_no_processes__goes_by_its_memory(host: Host, monkeypatch: Any) -> None:
    def silent(handle: Any) -> Any:
        raise host.nvml.NVMLError(3)

    monkeypatch.setattr(host.nvml, "nvmlDeviceGetComputeRunningProcesses", silent)
    assert await host.fault(0, ours=frozenset()) is None  # before a worker of ours
    host.cards[0].update(used=70 * GIB)
    with pytest.raises(CardFailed, match=r"71,680 MiB are in use, 512 MiB were before"):
        await host.watch.require_free(host.uuid(0), OURS)
    host.cards[0].update(used=GIB // 2)
    await host.watch.require_free(host.uuid(0), OURS)


def test_memory__that_a_class_takes__is_more_than_its_window() -> None:
    window = 2 * DATACENTER.W * DATACENTER.M * DATACENTER.N
    assert window < min_memory(DATACENTER) < 80 * GIB
    assert min_memory(DATACENTER) - window == min_memory(DATACENTER, window=False) > DATACENTER.N * DATACENTER.K


def test_slice__of_a_card__has_its_own_memory_and_its_cards_heat(host: Host) -> None:
    host.cards[2].update(slices=[slice_of(2, 0), slice_of(2, 1, processes=[[5, GIB]])], temperature=77)
    found = {one.uuid: one for one in read_inventory(host.nvml).accelerators}
    first, second = (host.cards[2]["slices"][n]["uuid"] for n in range(2))
    assert len(found) == 9 and host.uuid(2) not in found
    assert (found[second].number, found[second].memory_mib, found[second].temperature) == ("2:1", 20480, 77)
    assert found[second].mig and found[second].specification()["uuid"] == second and "MIG" in found[second].model
    reading = host.reader.one(second)
    assert (reading.temperature, reading.memory_total, reading.minor) == (77, 20 * GIB, 2)
    assert reading.others(frozenset()) == (5,) and host.reader.one(first).others(frozenset()) == ()
    assert host.reader.card_of_slice(second) == (host.uuid(2), 1)
    host.cards[3].update(mig=True)
    assert "has no slices" in str(read_inventory(host.nvml).faults[0])


def write_cdi(folder: Path, names: dict[str, int], kind: str = "nvidia.com/gpu") -> None:
    """As `nvidia-ctk cdi generate` writes it: a name, and the nodes behind it."""
    devices = [
        {"name": name, "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{minor}"}, {"path": "/dev/nvidiactl"}]}}
        for name, minor in names.items()
    ]
    (folder / "nvidia.yaml").write_text(json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": devices}))


@pytest.fixture
def bound(host: Host, tmp_path: Path) -> Callable[..., Bindings]:
    """Three devices on the first three cards, with names by number and uuid for all."""
    folder = tmp_path / "cdi"
    folder.mkdir()
    write_cdi(folder, {**{str(n): n for n in range(8)}, **{host.uuid(n): n for n in range(8)}})

    def make(*given: str, uuids: list[str] | None = None, has_gpus: bool = True) -> Bindings:
        devices = {}
        for number, device in enumerate(DEVICES):
            uuid = uuids[number] if uuids else host.uuid(number)
            devices[device.device_id] = replace(device, specification={"kind": "gpu", "uuid": uuid})
        names = GpuNames.parse(given, devices)
        made = Bindings(devices, host.reader, names, CardBook(tmp_path), has_gpus=has_gpus, folders=[folder])
        made.look()
        return made

    return make


IDS = [one.device_id for one in DEVICES]


def test_names__of_a_lease__are_of_its_own_cards_in_its_order(host: Host, bound: Callable[..., Bindings]) -> None:
    assert bound().of([IDS[2], IDS[0]]) == (f"nvidia.com/gpu={host.uuid(2)}", f"nvidia.com/gpu={host.uuid(0)}")
    assert bound(f"{DEVICES[1].name}:nvidia.com/gpu=1").of(IDS[1:2]) == ("nvidia.com/gpu=1",)
    assert bound(f"{DEVICES[1].name}:vendor.test/thing=x").of(IDS[1:2]) == ("vendor.test/thing=x",)


def test_cards__two_swapped__keep_their_devices_and_old_files_name_neither(
    host: Host, tmp_path: Path, bound: Callable[..., Bindings]
) -> None:
    assert len(bound().of(IDS)) == 3
    first, second = host.cards[0], host.cards[1]
    for name in ("bus", "minor"):
        first[name], second[name] = second[name], first[name]
    host.cards[0], host.cards[1] = second, first
    uuids = [first["uuid"], second["uuid"], host.uuid(2)]
    after = bound(uuids=uuids)
    after.look()
    moved = [after[one].moved for one in IDS]
    assert [one.kind if one else None for one in moved] == [CardFaultKind.MOVED, CardFaultKind.MOVED, None]
    assert [after[one].reading.uuid for one in IDS[:2]] == [first["uuid"], second["uuid"]]  # type: ignore[union-attr]
    # The names by number stand for the nodes behind them, whichever card was there when they were written.
    assert after.of(IDS[:2]) == ("nvidia.com/gpu=1", "nvidia.com/gpu=0")
    with pytest.raises(Unavailable, match="wrong-card-name"):
        bound(f"{DEVICES[0].name}:nvidia.com/gpu=0", uuids=uuids).of(IDS[:1])
    write_cdi(tmp_path / "cdi", {first["uuid"]: 0, second["uuid"]: 1, host.uuid(2): 2})
    after.look()
    for one, other in zip(IDS[:2], (second, first), strict=True):
        with pytest.raises(Unavailable, match=f"wrong-card-name.*{other['uuid']}"):
            after.of([one])
    assert len(after.of(IDS[2:])) == 1


def test_card__that_is_gone__is_named_with_where_it_stood_and_nothing_stands_for_it(
    host: Host, bound: Callable[..., Bindings]
) -> None:
    bound()
    gone = host.cards.pop(1)
    after = bound(uuids=[host.uuid(0), gone["uuid"], host.uuid(1)])
    fault = after[IDS[1]].fault
    assert fault is not None and fault.kind is CardFaultKind.NOT_THERE
    assert gone["uuid"] in fault.what and gone["bus"] in fault.what
    with pytest.raises(Unavailable, match="not-there"):
        after.of([IDS[1]])
    with pytest.raises(CardError):
        host.reader.one(gone["uuid"])


def test_names__without_a_file_or_of_a_slice__are_missing_or_its_own(
    host: Host, tmp_path: Path, bound: Callable[..., Bindings]
) -> None:
    parts = [slice_of(2, 0), slice_of(2, 1)]
    host.cards[2].update(slices=parts)
    write_cdi(tmp_path / "cdi", {"0": 0, "2:0": 2, parts[1]["uuid"]: 2})
    made = bound(uuids=[parts[0]["uuid"], parts[1]["uuid"], host.uuid(5)])
    assert made.of(IDS[:2]) == ("nvidia.com/gpu=2:0", f"nvidia.com/gpu={parts[1]['uuid']}")
    with pytest.raises(Unavailable, match=r"no-card-name.*nvidia-ctk cdi generate"):
        made.of(IDS[2:])


def test_device__whose_card_is_not_known__is_no_card_on_a_host_that_has_some(host: Host, tmp_path: Path) -> None:
    devices = {one.device_id: one for one in DEVICES}  # no specification is kept
    for has_gpus, kind in ((True, CardFaultKind.UNKNOWN_CARD), (False, None)):
        made = Bindings(devices, host.reader, GpuNames({}), CardBook(tmp_path), has_gpus=has_gpus, folders=[])
        found = next(iter(made.look().values())).fault
        assert (found.kind if found else None) is kind


@pytest.mark.parametrize(
    "content", ["", "[]", "kind: 3", "{", "kind: a/b\ndevices: 7", "kind: a/b\ndevices: [{}]", "\x00", "a: " * 99]
)
def test_cdi_file__that_is_none__is_told_and_the_others_are_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "broken.yaml").write_text(content)
    write_cdi(tmp_path, {"0": 0})
    assert list(read_cdi([tmp_path])) == ["nvidia.com/gpu=0"]


def test_card_book__damaged_or_on_a_full_disk__is_empty_and_ends_nothing(tmp_path: Path) -> None:
    book = CardBook(tmp_path)
    (tmp_path / "cards.json").write_text('{"0x": 7}')
    assert book.read() == {}
    book.note(IDS[0], SeenCard("GPU-0", "bus"))
    assert book.read() == {DEVICES[0].name: SeenCard("GPU-0", "bus")}
    CardBook(tmp_path / "cards.json").note(IDS[0], SeenCard("GPU-1", "bus"))  # no folder there: told, not raised
