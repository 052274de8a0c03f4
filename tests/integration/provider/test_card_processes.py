"""Real worker processes on invented cards, each with its card and share of threads: killed, hung, lent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from assay.protocol.keccak import keccak
from assay.protocol.profile import NAMED
from assay.provider.cards import process_link
from assay.provider.cards.card_worker import CardWorker
from assay.provider.cards.faults import CardFailed, CardFaultKind
from assay.provider.cards.provers import Provers, process_launcher, proofs_folder
from assay.provider.cards.readings import CardReader
from assay.provider.cards.tasks import Task, Urgency
from assay.provider.cards.watch import CardWatch
from assay.provider.cards.worker_process import WorkerOrder
from benchmarks.proof.gpu_host import together
from tests.invented_cards import pynvml
from tests.unit.provider.conftest import DEVICES, SEED

MICRO = replace(NAMED["micro"], W=2)


class Cards:
    """Three devices on three invented cards, and their workers."""

    def __init__(self, folder: Path) -> None:
        self.file, self.cards = folder / "cards.json", [pynvml.card(number) for number in range(3)]
        self.write()
        os.environ["INVENTED_CARDS"] = str(self.file)
        self.devices = {
            one.device_id: replace(one, profile=MICRO, specification={"kind": "gpu", "uuid": card["uuid"]})
            for one, card in zip(DEVICES, self.cards, strict=True)
        }
        self.ids = list(self.devices)
        self.watch = CardWatch(CardReader(pynvml), 3, "cpu")
        launch = process_launcher(3)

        def order(card: str, place: str, opens_only: bool = False) -> WorkerOrder:
            return WorkerOrder(card, "cpu", 31337, 4, str(proofs_folder(folder, place)), opens_only)

        def worker(device):
            return CardWorker(order(device.card, device.place), launch, self.watch.of(device.card), place=device.place)

        def stand_in(place: str) -> CardWorker:
            return CardWorker(order("", place, True), launch, place=place)

        self.provers = Provers(self.devices, worker, stand_in, self.watch, folder)

    def write(self) -> None:
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps({"cards": self.cards}))
        partial.replace(self.file)

    def task(self, number: int, name: str = "seed") -> Task:
        return Task(MICRO, SEED, keccak(f"{name} {number}".encode()), self.devices[self.ids[number]].place)

    def worker(self, number: int) -> CardWorker:
        return self.provers._workers[self.devices[self.ids[number]].place]

    def pid(self, number: int) -> int:
        (pid,) = self.worker(number).pids
        return pid


def environment_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
async def cards(tmp_path: Path) -> AsyncIterator[Cards]:
    made = Cards(tmp_path)
    try:
        yield made
    finally:
        await made.provers.close()
        os.environ.pop("INVENTED_CARDS")


async def test_cards__of_a_host__answer_one_instant_together_and_one_killed_costs_no_other(cards: Cards) -> None:
    await cards.provers.prepare(SEED)
    pids = [cards.pid(number) for number in range(3)]
    environments = [environment_of(pid) for pid in pids]
    assert [process_link.is_worker(pid) for pid in (*pids, os.getpid(), 2**22)] == [True] * 3 + [False] * 2
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments] == [card["uuid"] for card in cards.cards]
    assert not [name for one in environments for name in one if name.startswith("ASSAY_") and "THREADS" not in name]

    # All at once, and a worker killed while it is at its proof.
    os.kill(pids[1], signal.SIGSTOP)
    proving = [asyncio.ensure_future(cards.provers.prove(cards.task(number), Urgency.CHALLENGE)) for number in range(3)]
    await asyncio.wait({proving[0], proving[2]}, timeout=60)
    assert not proving[1].done()
    os.kill(pids[1], signal.SIGKILL)
    results = await asyncio.gather(*proving, return_exceptions=True)
    assert isinstance(results[1], CardFailed) and results[1].fault.kind is CardFaultKind.WORKER_DIED
    assert "signal 9" in str(results[1])
    again = await cards.provers.prove(cards.task(1), Urgency.CHALLENGE)
    assert len({one.result_root for one in (results[0], again, results[2])}) == 3  # type: ignore[union-attr]
    assert [cards.worker(number).report.restarts for number in range(3)] == [0, 1, 0]
    assert [cards.pid(0), cards.pid(2)] == [pids[0], pids[2]] and cards.pid(1) != pids[1]

    # The memory probe, too.
    walked = await asyncio.gather(*(cards.provers.probe(cards.task(n), keccak(b"pi")) for n in range(3)))
    assert len({one.lane_root for one in walked}) == 3

    # Killed while idle it is there again before anything is asked of it.
    os.kill(cards.pid(2), signal.SIGKILL)
    async with asyncio.timeout(60):
        while cards.worker(2).report.restarts == 0 or cards.worker(2).report.state != "ready":  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    # A renter gets a card on which nothing is, by its own account; what it had committed to is still opened.
    pid = cards.pid(0)
    reading = await cards.watch.reading(cards.cards[0]["uuid"])
    assert [one for one, _ in reading.processes or ()] == [pid]
    opened = await cards.provers.open(cards.task(0), [(1, 3)])
    await cards.provers.take_off([cards.ids[0]])
    reading = await cards.watch.reading(cards.cards[0]["uuid"])
    assert reading.processes == () and not runs(pid)
    assert await cards.provers.open(cards.task(0), [(1, 3)]) == opened
    with pytest.raises(CardFailed, match="leased"):
        await cards.provers.prove(cards.task(0, "new"), Urgency.CHALLENGE)
    await cards.provers.put_back([cards.ids[0]])
    assert (await cards.provers.prove(cards.task(0, "new"), Urgency.CHALLENGE)).engine == "cpu"


@pytest.mark.deep
async def test_worker__that_does_not_answer__is_ended_and_named_and_one_beside_it_proves(
    cards: Cards, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.provider.cards import card_worker

    await cards.provers.prepare(SEED)
    pid = cards.pid(0)
    monkeypatch.setattr(card_worker, "MIN_LIMIT_S", 1.0)
    monkeypatch.setattr(card_worker, "DEADLINES", 0)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CardFailed, match="worker-hung"):
        await cards.provers.prove(cards.task(0), Urgency.CHALLENGE)
    monkeypatch.setattr(card_worker, "MIN_LIMIT_S", 60.0)
    await cards.provers.prove(cards.task(1), Urgency.CHALLENGE)
    assert (await cards.provers.prove(cards.task(0), Urgency.CHALLENGE)).engine == "cpu"
    assert cards.pid(0) != pid and not runs(pid)


@pytest.mark.deep
async def test_card__that_somebody_else_is_on__is_not_given_away(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.provider.cards import watch

    await cards.provers.prepare(SEED)
    monkeypatch.setattr(watch, "FREE_S", 0.5)
    cards.cards[2]["processes"] = [[1, 1 << 30]]
    cards.write()
    with pytest.raises(CardFailed, match=r"not-released.*processes 1 are on it"):
        await cards.provers.take_off(cards.ids)
    assert not any(cards.provers.is_off(one) for one in cards.ids)  # all or none
    await cards.provers.prove(cards.task(0), Urgency.CHALLENGE)


DAEMON = """
import asyncio
from assay.provider.cards.process_link import ProcessLink
from assay.provider.cards.worker_process import WorkerOrder

async def main():
    link = await ProcessLink.launch(WorkerOrder("", "cpu", 31337, 4, ""), 1)
    print(link.hello.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.deep
async def test_worker__that_hangs_while_its_daemon_is_killed__ends_with_it() -> None:
    daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", DAEMON, stdout=asyncio.subprocess.PIPE)
    assert daemon.stdout is not None
    pid = int(await daemon.stdout.readline())
    os.kill(pid, signal.SIGSTOP)
    daemon.kill()
    await daemon.wait()
    async with asyncio.timeout(10):
        while process_link.is_worker(pid):  # noqa: ASYNC110 - of a process that has ended nothing is told
            await asyncio.sleep(0.05)


@pytest.mark.deep
async def test_benchmark_of_a_host__on_processors__times_each_workers_proof_and_probe(tmp_path: Path) -> None:
    cards = [pynvml.card(number)["uuid"] for number in range(3)]
    found = await together(cards, "cpu", MICRO, tmp_path, process_launcher(3))
    assert found["engines"] == ["cpu"] * 3
    assert all(isinstance(one, float) and 0 < one < 60 for one in (*found["proofSeconds"], *found["probeSeconds"]))
    assert all(rate > 0 for rate in found["probeReadsPerSecond"])


async def test_auto__on_a_card_without_a_driver__names_what_is_missing_and_never_takes_the_processor(
    tmp_path: Path,
) -> None:
    order = WorkerOrder("GPU-0", "auto", 31337, 4, "")
    with pytest.raises(CardFailed, match="no-engine") as caught:
        await process_link.ProcessLink.launch(order, 1)
    assert "libcuda" in str(caught.value)
    link = await process_link.ProcessLink.launch(replace(order, card=""), 1)
    assert link.hello.engine == "cpu"
    link.kill()
    await link.gone()
