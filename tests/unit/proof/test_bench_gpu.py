"""`make bench-gpu` off a card: its steps, its clock, its table; and the checks that it makes, in the CUDA simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.proof.engines import engine
from assay.proof.engines.registry import _has_driver
from assay.proof.probe import layout
from assay.protocol.profile import NAMED, Profile
from assay.provider.cards.faults import CardFailed, CardFault, CardFaultKind
from assay.provider.cards.process_link import Link
from assay.provider.cards.proving import Proving
from assay.provider.cards.worker_process import WorkerOrder
from benchmarks.proof import gpu, page
from benchmarks.proof.gpu_host import dearest_fitting, together
from tests.unit.provider.in_thread import ThreadLink

TINY = Profile(1, M=32, N=64, K=128, T=3, chunk=32, k=4, W=2, deadline_ms=1_000)


def made(tmp_path: Path, times: list[float]) -> gpu.Steps:
    about = {"device": "Test Card", "driver": "for CUDA 13.0", "machine": {"date": "today"}, "checks": {}}
    clock = iter(times)
    return gpu.Steps(tmp_path / "out.json", about, lambda: next(clock, times[-1]))


def failing() -> Any:
    raise RuntimeError("an illegal address")


def test_steps__one_fails__it_is_written_down_and_the_next_runs(tmp_path: Path) -> None:
    steps = made(tmp_path, [0.0])
    assert not steps.run("checks", "hashes", 1, failing)
    assert steps.run("checks", "vectors", 1, lambda: None)
    written = json.loads((tmp_path / "out.json").read_text())["checks"]
    assert written["hashes"]["error"] == "RuntimeError: an illegal address"
    assert written["vectors"]["ok"]


def test_steps__no_time_left__skipped_and_said(tmp_path: Path) -> None:
    steps = made(tmp_path, [0.0, gpu.LIMIT_S - 5])
    assert not steps.run("measurements", "ceilings", 10, failing)
    assert "skipped" in steps.result["measurements"]["ceilings"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("hashes", set()),
        ("product mma, 4 stages", set(gpu.ENGINES) - {"mma"}),
        ("engine cublas", set(gpu.ENGINES) - {"cublas"}),
        (None, set(gpu.ENGINES)),
    ],
)
def test_checked__what_failed__is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, left: set[str]
) -> None:
    from benchmarks.proof import gpu_checks

    names = ["vectors", "hashes", "product simt", "product mma, 4 stages", "engine simt", "engine cublas"]
    checks: list[tuple[str, Callable[[], Any]]] = [(of, failing if of == name else lambda: None) for of in names]
    monkeypatch.setattr(gpu_checks, "checks", lambda: checks)
    assert gpu.checked(made(tmp_path, [0.0])) == left


def test_table__some_measured__no_figure_for_the_others(tmp_path: Path) -> None:
    steps = made(tmp_path, [0.0])
    steps.run("checks", "hashes", 1, failing)
    steps.run("measurements", "edge vendor", 1, lambda: {"library": 1_000.0})
    steps.run("measurements", "edge mma", 1, lambda: {"tops": 510.0})
    steps.run("measurements", "datacenter mma", 1, failing)
    text = gpu.table(steps.result)
    nothing = "not measured |"
    assert f"| edge | 1000 TOPS | 510 TOPS | {nothing} {nothing} {nothing} 51 % |" in text
    assert f"| datacenter | {' '.join([nothing] * 6)}" in text
    assert f"| edge | {' '.join([nothing] * 6)}" in text
    assert gpu.fastest(steps.result, "edge") == "mma"
    assert gpu.fastest(steps.result, "datacenter") is None
    assert "**Failed check**: hashes: RuntimeError: an illegal address" in text


@pytest.mark.parametrize(("memory_mib", "name", "window"), [(81_559, "datacenter", 2_048), (24_564, "edge", 1_024)])
def test_dearest_fitting__by_memory__the_first_whose_window_a_card_holds(
    memory_mib: int, name: str, window: int
) -> None:
    profile = dearest_fitting(memory_mib, gpu.SHAPES)
    assert (profile, profile.W) == (NAMED[name], window)
    assert dearest_fitting(4_096, gpu.SHAPES).W == 0


async def test_together__one_card_of_three_fails__the_others_times_and_what_it_said(tmp_path: Path) -> None:
    cards = ["GPU-0", "GPU-1", "GPU-2"]

    async def launch(order: WorkerOrder, started: Callable[[int], None]) -> Link:
        if order.card == "GPU-1":
            raise CardFailed(order.card, CardFault(CardFaultKind.NO_DRIVER, "Driver Not Loaded"))
        return ThreadLink(Proving(lambda: engine("reference"), 2, None))

    found = await together(cards, "auto", TINY, tmp_path, launch)
    times, walks = found["proofSeconds"], found["probeSeconds"]
    assert [isinstance(one, float) for one in times] == [isinstance(one, float) for one in walks] == [True, False, True]
    assert "no-driver" in times[1] and found["probeReadsPerSecond"][1] is None
    assert found["probeReadsPerSecond"][0] == layout.lanes(TINY) * layout.STEPS / walks[0]
    steps = made(tmp_path, [0.0])
    steps.run("measurements", "host", 1, lambda: {"class": "tiny", "model": "Test Card", **found})
    rows = [line for line in gpu.table(steps.result).splitlines() if "reference" in line or "no-driver" in line]
    assert len(rows) == 3 and "no-driver" in rows[1]


def test_replace_section__the_named_one__and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- gpu: begin -->\nold\n<!-- gpu: end -->\nb\n")
    page.replace_section("gpu", "new\n", path)
    assert path.read_text() == "a\n<!-- gpu: begin -->\nnew\n<!-- gpu: end -->\nb\n"
    with pytest.raises(ValueError, match="cpu: begin"):
        page.replace_section("cpu", "", path)


@pytest.mark.skipif(_has_driver(), reason="there is a CUDA driver here")
def test_main__no_card__status_two_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gpu"])
    assert gpu.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("no card") and "no NVIDIA GPU" in said and "nothing written" in said
    assert not list(tmp_path.iterdir())
