"""The cards of a lease proven inside its pod: the prover runs here, beside a renter that trusts nothing it says."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.chain.contracts.devices import Device, DeviceStatus
from assay.proof.pod import prover
from assay.proof.pod.bundle import FIRST
from assay.proof.pod.messages import Question
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId, Seed
from assay.renter.errors import NotProven, ProofRejected
from assay.renter.session.pod_proof import PodProof, PodProver
from assay.renter.session.provider_session import JobState
from tests.unit.renter.leased import PROVIDER

PROFILE = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=4, W=2, deadline_ms=60_000, max_gops=1_000)
SEED = Seed(bytes([7]) * 32)
LEASE = 7


def device(number: int) -> Device:
    return Device(
        DeviceId(bytes([number]) * 32), PROVIDER, PROVIDER, 1, DeviceStatus.ACTIVE, bytes(32), "http://h:1", bytes(32)
    )


class Pod:
    """A session whose pod is a folder here. `spoil` changes a line before the renter reads it, `swap` a file before it
    is fetched."""

    def __init__(self, folder: Path, spoil: Callable[[str], str] = str, swap: Callable[[bytes], bytes] = bytes) -> None:
        self.folder, self._spoil, self._swap = folder, spoil, swap
        self.put_files: list[tuple[str, bytes]] = []
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._over = threading.Event()

    async def create_job(
        self, command: Sequence[str], files: Mapping[str, bytes], environment: Any, limits: Any
    ) -> str:
        assert command[:2] == ["python3", FIRST]
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        run = self.folder / command[2]

        def say(line: str) -> None:
            self._lines.put(self._spoil(line).encode() + b"\n")

        def work() -> None:
            threads = [threading.Thread(target=prover.main, args=(run, n, say)) for n in range(self.devices(run))]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            self._over.set()
            self._lines.put(None)

        threading.Thread(target=work).start()
        return "j1"

    @staticmethod
    def devices(run: Path) -> int:
        return (run / "task.json").read_text().count("deviceId")

    async def put(self, path: str, content: bytes, mode: int | None = None) -> None:
        self.put_files.append((path.rpartition("/")[2], content))
        (self.folder / path).write_bytes(content)

    async def fetch(self, path: str, most: int) -> bytes:
        content = self._swap((self.folder / path).read_bytes())
        assert len(content) <= most
        return content

    async def output(self, job_id: str, offset: int = 0, follow: bool = False) -> AsyncIterator[bytes]:
        while (line := await asyncio.to_thread(self._lines.get)) is not None:
            yield line

    async def job(self, job_id: str) -> JobState:
        return JobState(job_id, "exited" if self._over.is_set() else "running", 0, None)

    async def stop_job(self, job_id: str) -> None:
        self._lines.put(None)


async def proven(pod: Pod, profile: Profile = PROFILE, devices: int = 1, expected: int = 0) -> list[PodProof]:
    pairs = [(device(number + 1), profile) for number in range(devices)]
    before = {one.device_id: expected for one, _ in pairs}
    return await PodProver(pod, LEASE, SEED, pairs, before).prove()  # type: ignore[arg-type]


async def test_prove__an_honest_pod__is_verified_and_timed_here(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    (one,) = await proven(pod)
    assert one.fault == "" and 0 < one.times.work_s < 60 and one.times.walk_s is not None
    assert [name for name, _ in pod.put_files] == [*Question]


async def test_prove__two_devices__are_asked_at_once_and_each_is_verified(tmp_path: Path) -> None:
    found = await proven(Pod(tmp_path), devices=2)
    assert [one.device.device_id[0] for one in found] == [1, 2]


async def test_prove__a_class_without_a_probe__is_not_asked_for_memory(tmp_path: Path) -> None:
    pod = Pod(tmp_path)
    (one,) = await proven(pod, replace(PROFILE, W=0))
    assert one.times.walk_s is None and Question.walk not in [name for name, _ in pod.put_files]


async def test_prove__slower_than_before_the_lease__is_a_fault(tmp_path: Path) -> None:
    (one,) = await proven(Pod(tmp_path), replace(PROFILE, K=4_096, M=256, N=256), expected=10**9)
    assert "before the lease" in one.fault


async def test_prove__x_before_all_have_answered__is_never_told(tmp_path: Path) -> None:
    """Who knew x could choose what to compute."""
    seen: list[tuple[str, list[str]]] = []
    pod = Pod(tmp_path)

    def spoil(line: str) -> str:
        seen.append((line, [name for name, _ in pod.put_files]))
        return line

    pod._spoil = spoil
    await proven(pod, devices=2)
    for line, before in seen:
        if '"proved"' in line:
            assert Question.reveal not in before and Question.walk not in before


@pytest.mark.parametrize("what", ['"step": "proved"', '"step": "walked"'])
async def test_prove__another_root_than_that_of_the_work__is_rejected(tmp_path: Path, what: str) -> None:
    def spoil(line: str) -> str:
        at = line.index('"root": "') + 9 if what in line else 0
        return line[:at] + "ab" * 32 + line[at + 64 :] if at else line

    with pytest.raises(ProofRejected, match="does not verify"):
        await proven(Pod(tmp_path, spoil))


async def test_prove__an_opening_with_one_bit_changed__is_rejected(tmp_path: Path) -> None:
    def swap(content: bytes) -> bytes:
        return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]

    with pytest.raises(ProofRejected, match="does not verify"):
        await proven(Pod(tmp_path, swap=swap))


async def test_prove__work_done_for_another_lease__is_rejected(tmp_path: Path) -> None:
    """A proof that another pod makes under its own lease's number cannot be passed on."""

    class Elsewhere(Pod):
        async def create_job(self, command: Any, files: Any, environment: Any, limits: Any) -> str:
            other = {
                name: content.replace(b'"leaseId": 7', b'"leaseId": 8') if name.endswith("task.json") else content
                for name, content in files.items()
            }
            return await super().create_job(command, other, environment, limits)

    with pytest.raises(ProofRejected, match="does not verify"):
        await proven(Elsewhere(tmp_path))


async def test_prove__an_answer_after_the_deadline_of_its_class__is_rejected_as_late(tmp_path: Path) -> None:
    with pytest.raises(ProofRejected, match="late in the pod"):
        await proven(Pod(tmp_path), replace(PROFILE, K=65_536, M=512, N=512, T=4, deadline_ms=1))


async def test_prove__an_image_that_lacks_something__is_not_proven_rather_than_wrong(tmp_path: Path) -> None:
    def spoil(line: str) -> str:
        return 'assay-prover {"device": 0, "step": "failed", "reason": "no pip here"}'

    with pytest.raises(NotProven, match="no pip here"):
        await proven(Pod(tmp_path, spoil))


async def test_prove__broken_off_once_the_work_is_asked_for__is_rejected(tmp_path: Path) -> None:
    def spoil(line: str) -> str:
        return 'assay-prover {"device": 0, "step": "failed", "reason": "hot"}' if '"proved"' in line else line

    with pytest.raises(ProofRejected, match="broke off: hot"):
        await proven(Pod(tmp_path, spoil))


@pytest.mark.parametrize(
    "line",
    ["assay-prover [", "assay-prover []", 'assay-prover {"device": 9, "step": "ready"}', "assay-prover " + "[" * 3_000,
     'assay-prover {"device": 0, "step": "proved", "root": "zz"}', "assay-prover " + "x" * 5_000],
)  # fmt: skip
async def test_prove__lines_off_their_form__end_it(tmp_path: Path, line: str) -> None:
    with pytest.raises(NotProven):
        await proven(Pod(tmp_path, lambda _: line))
