"""A check as a whole: what is asked, what is expected of the cards, and what becomes of a pod that cannot prove."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from assay.chain.contracts.devices import Device
from assay.proof.pod.judgement import Times, clocked_gops
from assay.protocol.profile import NAMED
from assay.protocol.types import DeviceId, Seed
from assay.renter.errors import NoDevice, NotProven, ProofRejected, Unreachable
from assay.renter.lease import checking
from assay.renter.lease.checking import EVERYTHING, Checked, LeaseChecks, proven_lines
from assay.renter.lease.lease_files import LeaseFile
from assay.renter.session import pod_proof
from assay.renter.session.pod_proof import PodProof
from assay.sheet.shortfall import PodMeasurement
from assay.sheet.values import SheetValue, Source
from tests.unit.renter.leased import LEASE, NODE, ONE, PROVIDER, TWO

PROFILE = NAMED["datacenter"]


def device(device_id: bytes) -> Device:
    return Device(DeviceId(device_id), PROVIDER, PROVIDER, PROFILE.id, bytes(32))


def proof(device_id: bytes, tops: int, before: int, walk_s: float | None = 0.5) -> PodProof:
    """Of a card of that rate, 100 ms away; rates in tera-operations."""
    times = Times(PROFILE.operations / (tops * 1e12) + 0.1, walk_s, 0.1)
    return PodProof(
        device(device_id), PROFILE, times, clocked_gops(PROFILE, times), before * 1_000, "", "mma on a card"
    )


class Bench:
    """A lease of two devices. `scores` is what the newest report has of them, `handed_over` what the handover showed;
    `outcome` is what the pod proves or fails with, `opened_at` when epochs were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scores: dict[bytes, int] = {ONE: 900, TWO: 950}
        self.handed_over = 920
        self.opened_at = {9: 1_000, 8: 900}  # the current one, 10, is not open yet
        self.known = {one: device(one) for one in (ONE, TWO)}
        self.outcome: list[PodProof] | Exception = [proof(ONE, 890, 920), proof(TWO, 900, 950)]
        self.asked: list[tuple[Any, ...]] = []
        self.measured: list[str] = []
        bench = self

        async def measure(session: Any, iperf: str) -> PodMeasurement:
            bench.measured.append(iperf)
            return PodMeasurement({"hostCores": 16}, ())

        async def profile(chain: Any, profile_id: int) -> Any:
            return PROFILE

        async def epoch(chain: Any, number: int, at: str) -> Any:
            return SimpleNamespace(opened_at=bench.opened_at.get(number, 0), epoch_seed=Seed(bytes([number]) * 32))

        class Prover:
            def __init__(self, *arguments: Any) -> None:
                bench.asked.append(arguments)

            async def prove(self) -> list[PodProof]:
                if isinstance(bench.outcome, Exception):
                    raise bench.outcome
                return bench.outcome

        monkeypatch.setattr(checking, "measure_pod", measure)
        monkeypatch.setattr(checking, "read_profile", profile)
        monkeypatch.setattr(checking, "read_epoch_state", epoch)
        monkeypatch.setattr(pod_proof, "PodProver", Prover)

    async def call(self, contract: str, function: str, at: str) -> int:
        return 10

    async def of(self, lease: Any) -> Any:
        return NODE

    async def file_of(self, lease: Any) -> LeaseFile:
        return LeaseFile(7, NODE, roots=(bytes(32),), score_gops=self.handed_over)

    async def devices(self) -> Any:
        return self.known

    async def declared_sheet(self, device_ids: Any) -> Any:
        return {"hostCores": SheetValue(16, "", Source.declared)}

    async def scores_of(self, device_ids: Any) -> Any:
        return self.scores

    async def check(self, how: Any = EVERYTHING) -> Checked:
        discovery = SimpleNamespace(devices=self.devices, declared_sheet=self.declared_sheet, scores=self.scores_of)
        checks = LeaseChecks(self, discovery, self)  # type: ignore[arg-type]
        return await checks.check(LEASE, None, how)  # type: ignore[arg-type]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_check__of_two_cards__asks_both_for_what_they_showed_best_before(bench: Bench) -> None:
    checked = await bench.check()
    assert [line.name for line in checked.lines] == ["scoreGops", "memoryMib", "hostCores"] and checked.short == ()
    (asked,) = bench.asked
    _, lease_id, seed, pairs, expected, _, _ = asked
    assert (lease_id, [one.device_id for one, _ in pairs]) == (7, [ONE, TWO])
    assert expected == {ONE: 920, TWO: 950}
    # Of the newest epoch that is open.
    assert seed == bytes([9]) * 32


async def test_check__of_cards_that_no_recent_report_has__expects_what_the_handover_showed(bench: Bench) -> None:
    bench.scores = {}
    await bench.check()
    assert bench.asked[0][4] == {ONE: 920, TWO: 920}


async def test_check__not_to_prove__asks_for_no_work(bench: Bench) -> None:
    checked = await bench.check(replace(EVERYTHING, prove=False, iperf="host:5201"))
    assert bench.asked == [] and bench.measured == ["host:5201"] and checked.proofs == ()


async def test_check__where_the_pod_cannot_prove__has_what_was_measured_and_why(bench: Bench) -> None:
    bench.outcome = NotProven("no pip here")
    checked = await bench.check()
    assert checked.unproven == "no pip here" and [line.name for line in checked.lines] == ["hostCores"]


@pytest.mark.parametrize("failure", [ProofRejected("late"), Unreachable("gone")])
async def test_check__a_proof_that_fails__is_not_passed_over(bench: Bench, failure: Exception) -> None:
    bench.outcome = failure
    with pytest.raises(type(failure)):
        await bench.check()


async def test_check__of_a_device_that_has_left_the_registry__is_refused(bench: Bench) -> None:
    del bench.known[TWO]
    with pytest.raises(NoDevice):
        await bench.check()


async def test_check__where_no_epoch_is_open__says_so(bench: Bench) -> None:
    bench.opened_at = {}
    with pytest.raises(Unreachable, match="no seed"):
        await bench.check()


def test_proven_lines__one_card_of_two_slower_than_before__is_short() -> None:
    """Also where the other is slower still, but was from the first."""
    score, memory = proven_lines([proof(ONE, 790, 950), proof(TWO, 700, 700)])
    assert (score.short, memory.short) == (True, False)
    # By the clock here, with the way in it: no more than the card makes.
    assert isinstance(score.measured, int) and 690_000 < score.measured < 700_000
    assert [line.short for line in proven_lines([proof(ONE, 820, 950), proof(TWO, 700, 700)])] == [False, False]


def test_proven_lines__a_walk_that_took_too_long__is_memory_that_was_not_shown() -> None:
    _, memory = proven_lines([proof(ONE, 900, 900, walk_s=60.0)])
    assert memory.short and memory.measured == 0
