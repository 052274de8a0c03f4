"""The cards of a host as a whole: given to renters and taken back, looked at beforehand, counted, and told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assay.chain.contracts.leases import Lease
from assay.proof.engines import engine
from assay.protocol.keccak import keccak
from assay.protocol.profile import NAMED
from assay.protocol.types import DeviceId, Seed
from assay.provider.cards.bindings import Bindings, CardBook
from assay.provider.cards.card_worker import CardWorker
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind
from assay.provider.cards.findings import card_findings
from assay.provider.cards.hand_over import START_S, CardHandOver
from assay.provider.cards.host import HostCards
from assay.provider.cards.metrics import CardCollector
from assay.provider.cards.provers import Provers
from assay.provider.cards.readings import CardReader
from assay.provider.cards.tasks import Prepare
from assay.provider.cards.watch import CardWatch
from assay.provider.devices.device import OwnDevice
from assay.provider.devices.inventory import GpuNames
from assay.provider.doctor import host
from assay.provider.doctor.findings import Findings, Level
from assay.provider.errors import BadProviderSetting
from assay.provider.settings import ProviderSettings
from tests.invented_cards.pynvml import LOST, RESET_REQUIRED, Invented, card
from tests.unit.provider.api_bench import serving
from tests.unit.provider.conftest import DEVICES, SEED, ChainFake
from tests.unit.provider.in_thread import ThreadWorker

NEXT = Seed(keccak(b"the next epoch"))
FIRST, SECOND, THIRD = (one.device_id for one in DEVICES)


@dataclass
class Rig:
    """Three devices on cards, their workers in threads, invented cards, and the leases that the head shows."""

    folder: Path
    devices: dict[DeviceId, OwnDevice]
    state: dict[str, Any]
    failures: dict[str, list[CardFault]] = field(default_factory=dict)
    active: dict[DeviceId, int] = field(default_factory=dict)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        self.reader = CardReader(Invented(lambda: self.state))
        self.watch = CardWatch(self.reader, len(self.devices), "cpu", lambda: self.now, self._sleep)
        self.provers = Provers(self.devices, self._worker, self._stand_in, self.watch, self.folder)
        self.hand_over = CardHandOver(self.provers, self.devices, self._active, lambda: self.now)
        bindings = Bindings(
            self.devices, self.reader, GpuNames({}), CardBook(self.folder), has_gpus=True, folders=[self.folder]
        )
        bindings.look()
        self.cards = HostCards(self.devices, bindings, self.watch, self.provers, self.hand_over, needs_names=False)

    def off(self) -> list[bool]:
        return [self.provers.is_off(one) for one in (FIRST, SECOND, THIRD)]

    def report(self, number: int) -> Any:
        return {one.place: one for one in self.provers.reports()}[DEVICES_ON_CARDS[number].place]

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds

    async def _active(self, device_id: DeviceId) -> int:
        return self.active.get(device_id, 0)

    def _worker(self, device: OwnDevice) -> CardWorker:
        worker = ThreadWorker(
            lambda: engine("reference"), card=device.card, place=device.place, look=self.watch.of(device.card),
            failures=self.failures.get(device.place),
        )  # fmt: skip
        worker._sleep = _for_ever  # one that is down stays so
        return worker

    def _stand_in(self, place: str) -> CardWorker:
        raise AssertionError(f"nothing was kept of {place}")


CARDS = [card(number) for number in range(3)]
DEVICES_ON_CARDS = [
    replace(device, specification={"kind": "gpu", "uuid": one["uuid"]})
    for device, one in zip(DEVICES, CARDS, strict=True)
]


async def _for_ever(_: float) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def made(devices: list[OwnDevice] = DEVICES_ON_CARDS, **options: Any) -> Rig:
        state = {"cards": [dict(one) for one in CARDS]}
        rigs.append(Rig(tmp_path, {one.device_id: one for one in devices}, state, **options))
        return rigs[-1]

    yield made
    for rig in rigs:
        await rig.cards.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what changes is the code under test's own
            await asyncio.sleep(0)


async def test_starting__a_lease__frees_its_cards_and_no_other_until_it_is_over(make: Callable[..., Rig]) -> None:
    rig = make()
    elsewhere = DeviceId(bytes(32))  # of another host under the same account
    async with rig.hand_over.starting([FIRST, SECOND, elsewhere]):
        assert rig.off() == [True, True, False]
    await rig.hand_over.settle([])  # sent, and in no block yet
    assert rig.off() == [True, True, False]
    rig.active = {FIRST: 7, SECOND: 7}  # at the head, and not final for longer than a start may take
    rig.now += 2 * START_S
    await rig.hand_over.settle([])
    await rig.hand_over.settle([FIRST, SECOND])
    assert rig.off() == [True, True, False]
    rig.active = {}
    await rig.hand_over.settle([])
    assert rig.off() == [False, False, False]


async def test_starting__that_was_lost__gives_the_cards_back_when_it_cannot_come_any_more(
    make: Callable[..., Rig],
) -> None:
    rig = make()
    async with rig.hand_over.starting([THIRD]):
        pass
    rig.now += START_S - 1
    await rig.hand_over.settle([])
    assert rig.off() == [False, False, True]
    rig.now += 1
    await rig.hand_over.settle([])
    assert rig.off() == [False, False, False]


@pytest.mark.parametrize("mined", [False, True])
async def test_starting__not_sent__gives_the_cards_back_unless_it_was_mined_all_the_same(
    make: Callable[..., Rig], mined: bool
) -> None:
    rig = make()
    with pytest.raises(ZeroDivisionError):
        async with rig.hand_over.starting([FIRST]):
            raise ZeroDivisionError
    rig.active = {FIRST: 7} if mined else {}
    await rig.hand_over.settle([])
    assert rig.off() == [mined, False, False]


async def test_starting__with_something_on_a_card__is_refused_before_anything_is_sent(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.state["cards"][1]["processes"] = [[99, 1 << 30]]
    with pytest.raises(CardFailed, match=r"not-released.*processes 99 are on it"):
        async with rig.hand_over.starting([FIRST, SECOND]):
            raise AssertionError("sent")
    assert rig.off() == [False, False, False]
    rig.state["cards"][1]["processes"] = []
    await rig.hand_over.settle([])
    async with rig.hand_over.starting([FIRST, SECOND]):
        assert rig.off() == [True, True, False]


async def test_settle__of_two_devices_on_one_card__puts_nothing_on_it_while_either_is_leased(
    make: Callable[..., Rig],
) -> None:
    """A slashed device's lease goes on, and its card may have been enrolled with another key meanwhile."""
    rig = make([DEVICES_ON_CARDS[0], replace(DEVICES[1], specification=DEVICES_ON_CARDS[0].specification)])
    async with rig.hand_over.starting([FIRST]):
        pass
    await rig.hand_over.settle([])
    assert rig.provers.is_off(FIRST)
    obstacle = rig.cards.obstacle([SECOND])
    assert obstacle is not None and f"leased as device {DEVICES[0].name}" in obstacle
    rig.active = {FIRST: 7}
    rig.now += 2 * START_S
    for leased in ([], [FIRST]):
        await rig.hand_over.settle(leased)
        assert rig.provers.is_off(FIRST) and rig.cards.obstacle([SECOND]) is not None
    rig.active = {}
    await rig.hand_over.settle([])
    assert not rig.provers.is_off(FIRST) and rig.cards.obstacle([SECOND]) is None


async def test_readyz__while_a_card_works__is_ready_and_503_when_none_does(
    make: Callable[..., Rig], tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease
) -> None:
    broken = CardFault(CardFaultKind.NO_ENGINE, "no kernel runs")
    rig = make(failures={one.place: [broken] * 99 for one in DEVICES_ON_CARDS[:2]})
    async with serving(tmp_path / "leases", chain, device, lease, cards=rig.cards) as api:

        async def told() -> tuple[int, str, list[str]]:
            answer = await api.client.get("/readyz")
            body = answer.json()
            return answer.status_code, body["status"], [one["state"] for one in body["cards"]]

        for one in DEVICES_ON_CARDS:
            rig.provers._workers[one.place].start()
        await until(lambda: [rig.report(n).state for n in range(3)] == ["down", "down", "ready"])
        assert await told() == (200, "ready", ["down", "down", "ready"])
        await rig.provers.take_off([THIRD])  # a renter's card works
        assert await told() == (200, "ready", ["down", "down", "leased"])
        rig.report(2).state = "down"
        assert await told() == (503, "no card works", ["down", "down", "down"])
        cards = (await api.client.get("/readyz")).json()["cards"]
        assert (cards[0]["fault"], cards[0]["what"]) == ("no-engine", "no kernel runs") and cards[0]["advice"]


async def test_prepare__with_a_worker_that_hangs__holds_up_neither_leases_nor_other_cards(
    make: Callable[..., Rig],
) -> None:
    rig = make()
    first = rig.provers._workers[DEVICES_ON_CARDS[0].place]
    second = rig.provers._workers[DEVICES_ON_CARDS[1].place]
    assert isinstance(first, ThreadWorker) and isinstance(second, ThreadWorker)
    first.ready = asyncio.Event().wait
    rig.cards.prepare(SEED)  # returns at once
    await until(lambda: second.report.state == "ready" and Prepare(DEVICES[1].profile, SEED) in second.links[0].asked)
    assert first.report.state == "starting"
    async with rig.hand_over.starting([FIRST, SECOND]):
        assert rig.off() == [True, True, False]
    # Nothing is made for the next epoch on cards that are leased.
    third = rig.provers._workers[DEVICES_ON_CARDS[2].place]
    assert isinstance(third, ThreadWorker)
    rig.cards.prepare(NEXT)
    await until(lambda: Prepare(DEVICES[2].profile, NEXT) in third.links[0].asked)
    await rig.cards._preparing  # type: ignore[misc]
    assert first.links[0].asked == [] and [len(one.links) for one in (first, second)] == [1, 1]
    assert Prepare(DEVICES[1].profile, NEXT) not in second.links[0].asked


def scraped(cards: HostCards) -> dict[tuple[str, ...], float]:
    """Samples by name and labels, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(CardCollector(cards))
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics__of_cards__say_by_uuid_what_works_what_is_wrong_and_what_nvml_told(
    make: Callable[..., Rig],
) -> None:
    rig = make()
    first, second, third = (one["uuid"] for one in CARDS)
    rig.state["cards"][1].update(temperature=94)
    rig.state["cards"][2].update(fault=LOST)
    for one in DEVICES_ON_CARDS:
        rig.provers._workers[one.place].start()
    await until(lambda: [rig.report(n).state for n in range(3)] == ["ready", "down", "down"])
    await rig.cards.look()
    rig.report(0).proofs, rig.report(0).proof_s, rig.report(0).restarts = 3, 0.25, 1
    found = scraped(rig.cards)
    assert found["assay_card_up", first, "ready"] == 1
    assert found["assay_card_up", second, "down"] == found["assay_card_up", third, "down"] == 0
    assert {key[1:] for key in found if key[0] == "assay_card_fault"} == {(second, "too-hot"), (third, "lost")}
    assert (found["assay_card_proofs_total", first], found["assay_card_proof_seconds", first]) == (3, 0.25)
    assert ("assay_card_proof_seconds", second) not in found
    assert found["assay_card_worker_restarts_total", first] == 1
    assert found["assay_card_temperature_celsius", second] == 94
    assert found["assay_card_memory_bytes", first] == CARDS[0]["total"]
    assert found["assay_card_memory_used_bytes", first] == CARDS[0]["used"]
    assert found["assay_card_ecc_errors", first] == 0
    assert ("assay_card_memory_bytes", third) not in found


NAMES = [f"{one.name}:vendor.test/card={n}" for n, one in enumerate(DEVICES)]


def findings(
    state: dict[str, Any], tmp_path: Path, engine_name: str, *given: str, **more: Any
) -> tuple[list[str], list[str]]:
    devices = {one.device_id: replace(one, profile=NAMED["datacenter"]) for one in DEVICES_ON_CARDS}
    reader = CardReader(Invented(lambda: state))
    return card_findings(devices, reader, given, tmp_path, engine_name, [tmp_path], **more)


def test_findings__before_the_start__name_each_device_with_its_card_and_every_fault(tmp_path: Path) -> None:
    nodes = [{"name": one["uuid"], "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{one['minor']}"}]}}
             for one in CARDS[:2]]  # fmt: skip
    cdi = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": nodes}
    (tmp_path / "nvidia.yaml").write_text(json.dumps(cdi))
    state: dict[str, Any] = {"cards": [dict(one) for one in CARDS]}
    names = [one.name[:10] for one in DEVICES]
    lines, faults = findings(state, tmp_path, "auto")
    assert lines == [
        f"{names[0]}: {CARDS[0]['uuid']} as nvidia.com/gpu={CARDS[0]['uuid']}",
        f"{names[1]}: {CARDS[1]['uuid']} as nvidia.com/gpu={CARDS[1]['uuid']}",
        f"{names[2]}: {CARDS[2]['uuid']}",
    ]
    assert len(faults) == 1 and faults[0].startswith(f"{names[2]}: no-card-name: ")
    state["cards"][0].update(temperature=94, total=8 << 30)
    state["cards"][1].update(capability=[7, 5])
    del state["cards"][2]
    _, faults = findings(state, tmp_path, "auto")
    kinds = [tuple(one.split(": ")[:2]) for one in faults]
    assert kinds == [
        (names[0], "too-hot"), (names[0], "wrong-class"), (names[1], "old-card"), (names[2], "not-there"),
    ]  # fmt: skip
    assert f"{CARDS[2]['uuid']}" in faults[3] and f"it stood at {CARDS[2]['bus']}" in faults[3]


@pytest.mark.parametrize("engine_name", ["cpu", "reference", "skipped-rows:0.3"])
def test_findings__where_the_processor_proves__ask_nothing_of_driver_and_generation(
    tmp_path: Path, engine_name: str
) -> None:
    state: dict[str, Any] = {"cards": [dict(one, capability=[6, 1]) for one in CARDS], "cuda": 11000}
    assert findings(state, tmp_path, engine_name, *NAMES)[1] == []
    assert {one.split(": ")[1] for one in findings(state, tmp_path, "simt", *NAMES)[1]} == {"old-card"}


def test_findings__of_a_daemon_at_work_and_of_a_renter__are_none_and_anybody_elses_are_named(tmp_path: Path) -> None:
    state: dict[str, Any] = {"cards": [dict(one, processes=[[41, 75 << 30]]) for one in CARDS]}
    assert findings(state, tmp_path, "auto", *NAMES, is_worker=lambda pid: pid == 41)[1] == []
    faults = findings(state, tmp_path, "auto", *NAMES, leased=[FIRST])[1]
    names = [one.name[:10] for one in DEVICES]
    assert [one.split(": ")[:2] for one in faults] == [
        [names[n], kind] for n in (1, 2) for kind in ("out-of-memory", "other-process")
    ]
    assert "processes 41" in faults[1]


SHOWN = [
    ({"processes": [[99, 80 << 30]]}, "out-of-memory"),
    ({"processes": [[99, 1 << 30]]}, "other-process"),
    ({"fault": LOST}, "lost"),
    ({"fault": RESET_REQUIRED}, "driver-reset"),
    ({"temperature": 94}, "too-hot"),
    ({"ecc": 2}, "ecc-errors"),
]


@pytest.mark.parametrize(("changes", "kind"), SHOWN, ids=[kind for _, kind in SHOWN])
async def test_fault__of_a_card_at_work__is_named_in_log_readyz_and_metrics_and_by_the_doctor(
    make: Callable[..., Rig], tmp_path: Path, chain: ChainFake, device: OwnDevice, lease: Lease,
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], kind: str,
) -> None:  # fmt: skip
    rig, uuid = make(), CARDS[1]["uuid"]
    rig.cards.prepare(SEED)
    await until(lambda: {rig.report(n).state for n in range(3)} == {"ready"})
    assert scraped(rig.cards).get(("assay_card_fault", uuid, kind)) is None
    rig.state["cards"][1].update(changes)
    with structlog.testing.capture_logs() as logged:
        await rig.cards.look()
    assert {one["card"] for one in logged if one.get("fault") == kind and one["advice"] and "card" in one} == {uuid}
    async with serving(tmp_path / "leases", chain, device, lease, cards=rig.cards) as api:
        told = (await api.client.get("/readyz")).json()
    assert told["status"] == "ready" and told["cards"][1]["advice"]
    assert [one["fault"] for one in told["cards"]] == [None, kind, None]
    assert {key[1:] for key in scraped(rig.cards) if key[0] == "assay_card_fault"} == {(uuid, kind)}
    monkeypatch.setattr(host, "CardReader", lambda: CardReader(Invented(lambda: rig.state)))
    settings = ProviderSettings.of({"engine": "cpu", "runtime": "local", "data_dir": tmp_path})
    doctor = Findings()
    await doctor.check("cards", lambda: host.cards(settings, rig.devices))
    assert doctor.all[0].level is Level.FAIL
    assert doctor.all[0].found.startswith(f"{DEVICES[1].name[:10]}: {kind}: ")


def test_findings__names_that_stand_for_no_single_device__are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadProviderSetting, match="3 of the 3 devices"):
        findings({"cards": CARDS}, tmp_path, "auto", "nvidia.com/gpu=0")
