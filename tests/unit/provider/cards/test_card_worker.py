"""A worker that dies, hangs, is put off its card and back: what is lost by it, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from assay.proof.engines import engine
from assay.proof.errors import DeviceLost, EngineUnavailable, NotEnoughMemory
from assay.protocol.keccak import keccak
from assay.protocol.profile import Profile
from assay.provider.cards.card_worker import MAX_BACK_OFF_S, CardWorker
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind, fault_of
from assay.provider.cards.process_link import worker_environment
from assay.provider.cards.provers import Provers, proofs_folder
from assay.provider.cards.proving import Proving
from assay.provider.cards.tasks import Flush, Prepare, Prove, Task, Urgency
from assay.provider.devices.device import OwnDevice
from assay.provider.errors import Unavailable
from tests.unit.provider.conftest import DEVICES, PROFILE, SEED
from tests.unit.provider.in_thread import ThreadLink, ThreadWorker

TASK = Task(PROFILE, SEED, keccak(b"seed"))
HOT = CardFault(CardFaultKind.TOO_HOT, "99 °C, its limit is 92 °C")
BUSY = CardFault(CardFaultKind.OTHER_PROCESS, "processes 7 use it", blocks=False)


def reference() -> Any:
    return engine("reference")


async def until(holds: Callable[[], bool]) -> None:
    """Gives way until it does."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what changes is the code under test's own
            await asyncio.sleep(0)


class Stuck:
    """Work that does not end by itself."""

    def __init__(self) -> None:
        import threading

        self.begun, self.go_on = threading.Event(), threading.Event()

    def do(self, request: Any) -> None:
        if not isinstance(request, Prepare | Flush):
            self.begun.set()
            self.go_on.wait(10)


async def stuck(worker: ThreadWorker) -> tuple[Stuck, asyncio.Future[Any]]:
    """A worker that is at a proof."""
    await worker.ask(Flush())
    at = Stuck()
    worker.links[-1].proving = at
    proving = asyncio.ensure_future(worker.prove(TASK, Urgency.CHALLENGE))
    await asyncio.to_thread(at.begun.wait, 10)
    return at, proving


async def test_worker__killed_at_its_proof__is_started_again_and_what_waits_is_done() -> None:
    worker = ThreadWorker(reference)
    worker.remember_epoch([PROFILE], SEED)
    at, proving = await stuck(worker)
    waiting = asyncio.ensure_future(worker.open(TASK, [(0, 0)]))
    await asyncio.sleep(0)
    worker.links[-1].kill()
    with pytest.raises(CardFailed, match="worker-died"):
        await proving
    assert len(await waiting) > 0
    assert worker.report.restarts == 1 and len(worker.links) == 2
    assert worker.links[1].asked[0] == Prepare(PROFILE, SEED)  # B is there before the next challenge
    at.go_on.set()
    await worker.close()


async def test_worker__killed_while_idle__is_there_again_before_anything_is_asked() -> None:
    worker = ThreadWorker(reference)
    await worker.ask(Flush())
    worker.links[0].kill()
    await until(lambda: len(worker.links) == 2)
    assert (await worker.prove(TASK)).result_root == (await worker.prove(TASK)).result_root
    await worker.close()


async def test_worker__that_does_not_start__is_tried_later_each_time_and_says_why() -> None:
    failures = [CardFault(CardFaultKind.NO_DRIVER, "Driver Not Loaded")] * 9
    worker = ThreadWorker(reference, failures=failures)
    with pytest.raises(CardFailed, match="no-driver: Driver Not Loaded"):
        await worker.prove(TASK)
    await until(lambda: worker.report.state == "ready")
    assert worker.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60] and max(worker.slept) == MAX_BACK_OFF_S
    assert (await worker.prove(TASK)).engine == "reference"
    await worker.close()


async def test_worker__before_each_proof__looks_at_the_card_and_refuses_what_it_says() -> None:
    told: list[CardFault | None] = [None]

    async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        return told[0]

    worker = ThreadWorker(reference, card="GPU-0", look=look)
    await worker.prove(TASK)
    told[0] = HOT
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):  # as often as validators ask
            with pytest.raises(CardFailed, match=r"GPU-0.*too-hot.*99 °C"):
                await worker.prove(Task(PROFILE, SEED, keccak(b"another")))
    assert worker.report.fault == HOT
    assert [one["fault"] for one in logged if one["log_level"] == "error"] == ["too-hot"]
    told[0] = BUSY
    await worker.prove(Task(PROFILE, SEED, keccak(b"another")))  # named, and no reason to be late
    assert worker.report.fault == BUSY
    told[0] = None
    await worker.look()
    assert worker.report.fault is None and len(worker.links) == 1
    await worker.close()


async def test_worker__whose_card_is_lost__gets_a_new_context_that_chooses_anew() -> None:
    told: list[CardFault | None] = [None]

    async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        return told[0]

    worker = ThreadWorker(reference, card="GPU-0", look=look)
    await worker.prove(TASK)
    told[0] = CardFault(CardFaultKind.LOST, "GPU is lost")
    await worker.look()
    await until(lambda: worker.report.state == "down")
    with pytest.raises(CardFailed, match="lost: GPU is lost"):
        await worker.prove(TASK)
    told[0] = None
    await until(lambda: worker.report.state == "ready")
    await worker.prove(TASK)
    assert len(worker.links) == 2 and worker.report.fault is None
    await worker.close()


async def test_look__between_proofs__asks_for_the_work_of_the_epoch_and_names_what_blocks_it() -> None:
    full = CardFault(CardFaultKind.OUT_OF_MEMORY, "profile 2 takes 9 MiB, 4 are free")

    async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        return full if profile is not None and profile.id == 2 else BUSY

    worker = ThreadWorker(reference, card="GPU-0", look=look)
    await worker.prove(TASK)
    assert await worker.look() == BUSY
    worker.remember_epoch([PROFILE, replace(PROFILE, id=2)], SEED)
    assert await worker.look() == full and worker.report.fault == full
    assert worker.links[-1].alive  # it may be over before the next challenge
    await worker.close()


async def test_card__while_its_worker_starts__has_that_process_for_ours() -> None:
    """A worker has its context on the card, and compiles its kernels there, long before it is ready."""
    told: list[frozenset[int]] = []

    async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        told.append(ours)
        return BUSY if worker.links and ours != {worker.links[-1].hello.pid} else None

    ready = asyncio.Event()
    worker = ThreadWorker(reference, card="GPU-0", look=look, ready=ready.wait)
    worker.start()
    await until(lambda: bool(worker.links))
    assert worker.report.state == "starting" and worker.pids == {worker.links[0].hello.pid}
    assert await worker.look() is None and worker.report.fault is None
    ready.set()
    await worker.prove(TASK)
    assert worker.report.fault is None and told[0] == frozenset() and told[-1] == worker.pids
    await worker.take_off()
    assert worker.pids == frozenset()
    await worker.close()


async def test_worker__whose_driver_is_slow_to_tell__keeps_its_context_and_is_named_until_it_is_not() -> None:
    """Without persistence mode a card's driver may take seconds to answer, on a card that proves well."""
    told: list[CardFault | None] = [None]

    async def look(profile: Profile | None, ours: frozenset[int]) -> CardFault | None:
        return told[0]

    worker = ThreadWorker(reference, card="GPU-0", look=look)
    await worker.prove(TASK)
    told[0] = CardFault(CardFaultKind.SLOW_DRIVER, "NVML does not answer within 1 s", blocks=False)
    await worker.look()
    assert worker.links[0].alive and worker.report.fault == told[0]
    await worker.prove(TASK)
    told[0] = None
    await worker.look()
    assert worker.report.fault is None and len(worker.links) == 1
    await worker.close()


async def test_worker__late_with_a_challenge__is_called_slow_until_it_is_in_time() -> None:
    now = [0.0]

    class Late(ThreadLink):
        async def ask(self, request: Any, limit_s: float) -> Any:
            answer = await super().ask(request, limit_s)
            now[0] += 5 if isinstance(request, Prove) and not late.pop() else 0
            return answer

    late = [True, False]
    worker = ThreadWorker(reference)
    worker._clock = lambda: now[0]
    await worker.ask(Flush())
    worker.links[0].__class__ = Late
    await worker.prove(TASK, Urgency.CHALLENGE)
    assert worker.report.fault is not None and worker.report.fault.kind is CardFaultKind.TOO_SLOW
    assert "5.0 s" in worker.report.fault.what
    await worker.prove(Task(PROFILE, SEED, keccak(b"next")), Urgency.CHALLENGE)
    assert worker.report.fault is None
    await worker.close()


async def test_challenge__that_waits_behind_other_work__is_late_by_all_of_its_time() -> None:
    now = [0.0]
    worker = ThreadWorker(reference)
    worker._clock = lambda: now[0]
    at, ordinary = await stuck(worker)
    late = asyncio.ensure_future(worker.prove(Task(PROFILE, SEED, keccak(b"next")), Urgency.CHALLENGE))
    await asyncio.sleep(0)
    now[0] += PROFILE.deadline_ms / 1000 + 1
    worker.links[-1].proving = Proving(reference, 2, None)
    at.go_on.set()
    await asyncio.gather(ordinary, late, return_exceptions=True)
    assert worker.report.fault is not None and worker.report.fault.kind is CardFaultKind.TOO_SLOW
    await worker.close()


async def test_worker__taken_off_its_card_at_work__is_gone_with_all_that_waited(tmp_path: Path) -> None:
    worker = ThreadWorker(reference, folder=tmp_path)
    at, proving = await stuck(worker)
    waiting = asyncio.ensure_future(worker.open(TASK, [(0, 0)]))
    await asyncio.sleep(0)
    await worker.take_off()
    for one in (proving, waiting):
        with pytest.raises(CardFailed, match="leased"):
            await one
    assert not worker.links[-1].alive and worker.report.state == "leased"
    with pytest.raises(CardFailed, match="leased"):
        await worker.prove(TASK)
    worker.put_back()
    assert (await worker.prove(TASK)).engine == "reference" and len(worker.links) == 2
    at.go_on.set()
    await worker.close()


def provers_on(folder: Path, workers: dict[bytes, ThreadWorker], stand_ins: list[str]) -> Provers:
    def worker(device: OwnDevice) -> CardWorker:
        return workers[device.device_id]

    def stand_in(place: str) -> CardWorker:
        stand_ins.append(place)
        return ThreadWorker(None, folder=proofs_folder(folder, place))

    return Provers({one.device_id: one for one in DEVICES}, worker, stand_in, None, folder)


async def test_commitment__of_a_card_that_is_a_renters_or_dead__is_opened_from_the_disk(tmp_path: Path) -> None:
    workers = {
        one.device_id: ThreadWorker(reference, place=one.place, folder=proofs_folder(tmp_path, one.place))
        for one in DEVICES
    }
    stand_ins: list[str] = []
    provers = provers_on(tmp_path, workers, stand_ins)
    first, second = DEVICES[:2]
    task = Task(PROFILE, SEED, keccak(b"committed"), first.place)
    proven = await provers.prove(task, Urgency.CHALLENGE)
    opened = await provers.open(task, [(1, 3), (0, 0)])
    await provers.take_off([first.device_id])
    assert not workers[first.device_id].links[-1].alive and provers.is_off(first.device_id)
    assert await provers.open(task, [(1, 3), (0, 0)]) == opened
    assert (await provers.prove(task)).result_root == proven.result_root
    other = Task(PROFILE, SEED, keccak(b"new"), first.place)
    for asked in (provers.prove(other, Urgency.CHALLENGE), provers.prove(other), provers.probe(task, keccak(b"pi"))):
        with pytest.raises(CardFailed, match="leased"):  # nothing new, by no card and by no processor
            await asked
    assert stand_ins == [first.place]
    assert (await provers.prove(Task(PROFILE, SEED, keccak(b"x"), second.place))).engine == "reference"
    await provers.put_back([first.device_id])
    walked = await provers.probe(task, keccak(b"pi"))
    assert walked.result_root == proven.result_root  # proven again, with a window
    await provers.close()


async def test_damaged_proof__on_the_disk__is_made_again_and_never_served(tmp_path: Path) -> None:
    worker = ThreadWorker(reference, folder=tmp_path)
    await worker.prove(TASK, Urgency.CHALLENGE)
    right = await worker.open(TASK, [(1, 3)])
    await worker.ask(Flush())
    (path,) = tmp_path.iterdir()  # noqa: ASYNC240
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again = ThreadWorker(reference, folder=tmp_path)
    assert await again.open(TASK, [(1, 3)]) == right and not path.exists()
    await asyncio.gather(worker.close(), again.close())


async def test_prepare__one_of_three_places_broken__is_told_and_holds_up_no_other(tmp_path: Path) -> None:
    class Full:
        name = "full"

        def prepare(self, profile: Profile, epoch_seed: bytes) -> None:
            raise NotEnoughMemory("profile 9 needs 70,000 MiB, H100 has 4 MiB free: no profile fits")

    makers: list[Any] = [reference, Full, reference]
    workers = {one.device_id: ThreadWorker(make, place=one.place) for one, make in zip(DEVICES, makers, strict=True)}
    provers = provers_on(tmp_path, workers, [])
    await provers.prepare(SEED)  # raises nothing
    task = Task(PROFILE, SEED, keccak(b"a"))
    for one in (DEVICES[0], DEVICES[2]):
        proven = await provers.prove(Task(PROFILE, SEED, keccak(b"a"), one.place), Urgency.CHALLENGE)
        assert proven.engine == "reference"
    with pytest.raises(Unavailable):
        await provers.prove(Task(PROFILE, SEED, task.seed, DEVICES[1].place), Urgency.CHALLENGE)
    await provers.close()


async def test_task__of_a_card_that_is_not_here__is_done_by_no_other(tmp_path: Path) -> None:
    workers = {one.device_id: ThreadWorker(reference, place=one.place) for one in DEVICES}
    provers = provers_on(tmp_path, workers, [])
    gone = Task(PROFILE, SEED, keccak(b"a"), "GPU-gone")
    with pytest.raises(Unavailable, match="no card of this host is GPU-gone"):
        await provers.prove(gone, Urgency.CHALLENGE)
    # What was committed to long ago anybody may compute: a demand must be answered.
    assert (await provers.prove(gone, Urgency.LATER)).engine == "reference"
    await provers.close()


def test_environment__of_a_worker__has_one_card_a_share_of_the_threads_and_no_setting_of_ours() -> None:
    base = {"PATH": "/bin", "ASSAY_PASSWORD_FILE": "/secret", "CUDA_VISIBLE_DEVICES": "0,1", "OMP_NUM_THREADS": "64"}
    made = worker_environment("GPU-7", 3, base)
    assert (made["CUDA_VISIBLE_DEVICES"], made["CUDA_DEVICE_ORDER"]) == ("GPU-7", "PCI_BUS_ID")
    assert made["NUMBA_NUM_THREADS"] == made["ASSAY_PROOF_THREADS"] == made["OMP_NUM_THREADS"] == "3"
    assert "ASSAY_PASSWORD_FILE" not in made and made["PATH"] == "/bin"
    assert worker_environment("", 1, base)["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(("error", "kind"), [
    (MemoryError(), CardFaultKind.OUT_OF_MEMORY),
    (NotEnoughMemory("profile 2 needs 9 MiB"), CardFaultKind.OUT_OF_MEMORY),
    (DeviceLost("the GPU failed: [2] cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY"), CardFaultKind.OUT_OF_MEMORY),
    (DeviceLost("the GPU failed: [214] CUDA_ERROR_ECC_UNCORRECTABLE"), CardFaultKind.ECC_ERRORS),
    (DeviceLost("the GPU failed: [719] CUDA_ERROR_LAUNCH_FAILED"), CardFaultKind.LOST),
    (DeviceLost("the GPU is at 93 °C, 92 °C is its limit: cool it"), CardFaultKind.TOO_HOT),
    (EngineUnavailable("mma on H100 computes wrongly: its proof is not the reference's"), CardFaultKind.WRONG_RESULTS),
    (EngineUnavailable("the GPU's compute capability is 7.5, 8.0 is needed"), CardFaultKind.OLD_CARD),
    (EngineUnavailable("the driver knows CUDA 12.2, 12.9 is needed"), CardFaultKind.OLD_DRIVER),
    (EngineUnavailable("mma needs M >= 128 and N >= 256, profile 1 has 32"), CardFaultKind.WRONG_CLASS),
    (EngineUnavailable("it does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), CardFaultKind.DRIVER_RESET),
    (EngineUnavailable("the CUDA driver does not start: CUDA_ERROR_NO_DEVICE"), CardFaultKind.NOT_THERE),
    (EngineUnavailable("numba-cuda is not installed"), CardFaultKind.NO_ENGINE),
])  # fmt: skip
def test_fault__of_what_an_engine_raises__is_named(error: Exception, kind: CardFaultKind) -> None:
    fault = fault_of(error)
    assert fault.kind is kind and fault.kind.advice and (str(error) in fault.what or isinstance(error, MemoryError))
