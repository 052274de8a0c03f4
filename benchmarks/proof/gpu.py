"""`make bench-gpu`: on a machine with a card, first check the GPU engines, then measure them, in under ten minutes.

Every check and every measurement is a step of its own: one that fails is written down and the next begins, the result
is written after each, and no step begins that could not end in time. What failed its check is not measured.
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay.proof.errors import ProofError
from assay.protocol.profile import NAMED
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section

LIMIT_S = 570.0  # no step begins that is expected to end later
CHECK_S, SANITIZER_S = 15.0, 90.0
ENGINES = ("mma", "cublas", "bf16", "simt")
SHAPES = ("datacenter", "edge")
MEASURE_S = {
    "host": 60.0, "ceilings": 25.0, "vendor": 10.0, "stages": 25.0, "full": 45.0, "market": 180.0,
    "mma": 15.0, "cublas": 15.0, "bf16": 15.0, "simt": 30.0,
}  # fmt: skip


class Steps:
    """Runs steps within the time that there is, and keeps their results on disk."""

    def __init__(self, path: Path, result: dict[str, Any], clock: Callable[[], float] = time.perf_counter) -> None:
        self.path, self.result, self._clock = path, result, clock
        self._started = clock()

    def run(self, group: str, name: str, expected_s: float, task: Callable[[], Any]) -> bool:
        """One step; its result, or what went wrong, stands under result[group][name]. Whether it succeeded."""
        before = self._clock()
        if before - self._started + expected_s > LIMIT_S:
            outcome: dict[str, Any] = {"skipped": f"{LIMIT_S:.0f} s would not have sufficed"}
        else:
            try:
                outcome = {"ok": True, "value": task()}
            except Exception as error:
                outcome = {"ok": False, "error": f"{type(error).__name__}: {error}"[:2_000]}
            outcome["seconds"] = round(self._clock() - before, 2)
        self.result.setdefault(group, {})[name] = outcome
        self.result["seconds"] = round(self._clock() - self._started, 1)
        write(self.path, self.result)
        said = outcome.get("error") or outcome.get("skipped") or "ok"
        sys.stdout.write(f"{self.result['seconds']:6.1f} s  {group}: {name}: {said}\n")
        sys.stdout.flush()
        return bool(outcome.get("ok"))


def checked(steps: Steps) -> set[str]:
    """Names of the engines whose every check held."""
    from benchmarks.proof.gpu_checks import checks

    good = set(ENGINES)
    for name, check in checks():
        if not steps.run("checks", name, CHECK_S, check):
            # What failed for one engine says nothing about the others; a kernel that all of them use does.
            good -= {engine for engine in ENGINES if engine in name} or good
    return good


def measured(steps: Steps, good: set[str]) -> None:
    """All cards together and ceilings first, then for both large shapes the vendor's product, single stages and whole
    proofs; then each class in full with the fastest engine, as its validators' clocks see it.
    """
    from benchmarks.proof import gpu_measurements as m
    from benchmarks.proof.gpu_host import host

    with tempfile.TemporaryDirectory() as folder:
        # Before this process has anything of size on a card.
        steps.run("measurements", "host", MEASURE_S["host"], lambda: host(SHAPES, Path(folder)))
    steps.run("measurements", "ceilings", MEASURE_S["ceilings"], m.ceilings)
    for shape in SHAPES:
        profile = NAMED[shape]
        steps.run("measurements", f"{shape} vendor", MEASURE_S["vendor"], lambda p=profile: m.vendor_tops(p))
        if good == set(ENGINES):
            steps.run("measurements", f"{shape} stages", MEASURE_S["stages"], lambda p=profile: m.stages(p))
        for name in (name for name in ENGINES if name in good):
            task = lambda p=profile, n=name: m.proof_tops(n, p)  # noqa: E731
            steps.run("measurements", f"{shape} {name}", MEASURE_S[name], task)
        if name := fastest(steps.result, shape):
            task = lambda p=profile, n=name: {"engine": n, **m.full(n, p)}  # noqa: E731
            steps.run("measurements", f"{shape} full", MEASURE_S["full"], task)


def fastest(result: dict[str, Any], shape: str) -> str | None:
    """The engine with the highest rate at a shape; None where none was measured."""
    rates = {name: (_value(result, f"{shape} {name}") or {}).get("tops", 0.0) for name in ENGINES}
    name = max(rates, key=lambda name: rates[name])
    return name if rates[name] else None


def lived(steps: Steps) -> None:
    """The whole market with providers that prove on this card: enrolled, measured, leased, and a cheat slashed."""

    def task() -> str:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "demo.json"
            command = ["ape", "run", "devnet", "demo", "--exit", "--engine", "auto", "--out", str(out)]
            done = subprocess.run(
                [*command, "--folder", str(Path(folder) / "net")],
                capture_output=True, text=True, timeout=MEASURE_S["market"], check=False,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError((done.stdout + done.stderr)[-1_500:])
            return out.read_text()[:4_000]

    steps.run("market", "demo", MEASURE_S["market"], task)


def sanitized(steps: Steps) -> None:
    """The brief checks again under NVIDIA's checker of memory and of races, where it is installed."""
    tool = shutil.which("compute-sanitizer")
    if tool is None:
        sys.stdout.write("compute-sanitizer is not installed: accesses and races are not checked in this run\n")
        return
    for kind in ("memcheck", "racecheck"):

        def task(kind: str = kind) -> str:
            command = [
                tool,
                "--tool",
                kind,
                "--error-exitcode",
                "9",
                sys.executable,
                "-m",
                "benchmarks.proof.gpu",
                "--brief",
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SANITIZER_S, check=False)
            if done.returncode:
                raise RuntimeError((done.stdout + done.stderr)[-1_500:])
            return done.stdout[-300:]

        steps.run("sanitizer", kind, SANITIZER_S, task)


def _value(result: dict[str, Any], name: str) -> Any:
    return result.get("measurements", {}).get(name, {}).get("value")


def table(result: dict[str, Any]) -> str:
    """Markdown for the page."""
    failed = [f"{name}: {of['error']}" for name, of in result["checks"].items() if not of.get("ok") and "error" in of]
    lines = [
        f"{result['device']}, driver {result['driver']}, {result['machine']['date']}, {result['seconds']} s in all.",
        "",
    ]
    lines += [f"**Failed check**: {text}\n" for text in failed]
    heads = ["profile", "vendor's int8", *(f"{name} end to end" for name in ENGINES), "best, of vendor's"]
    lines += [f"| {' | '.join(heads)} |"]
    lines += ["|---" * len(heads) + "|"]
    for shape in SHAPES:
        vendor = max((_value(result, f"{shape} vendor") or {}).values(), default=None)
        tops = [(_value(result, f"{shape} {name}") or {}).get("tops") for name in ENGINES]
        best = max((of for of in tops if of), default=None)
        share = f"{100 * best / vendor:.0f} %" if best and vendor else "not measured"
        rates = [f"{of:.4g} TOPS" if of else "not measured" for of in (vendor, *tops)]
        lines.append(f"| {shape} | {' | '.join(rates)} | {share} |")
    lines += ["", "| profile in full | engine | proof | of a deadline of | probe | its reads a second | opening |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for shape in SHAPES:
        of = _value(result, f"{shape} full")
        if of is None:
            lines.append(f"| {shape} |{' not measured |' * 6}")
            continue
        lines.append(
            f"| {shape} | {of['engine']} | {min(of['proofSeconds']):.2f} s | {of['deadlineSeconds']:.0f} s | "
            f"{of['probeSeconds']:.2f} s | {of['probeReadsPerSecond']:.3g} | {of['openingSeconds']:.2f} s |"
        )
    if found := _value(result, "host"):
        from benchmarks.proof.gpu_host import lines as of_host

        lines += of_host(found)
    if rates := _value(result, "ceilings"):
        lines += ["", "| random 32-byte reads | bytes a second |", "|---|---|"]
        for window, rate in rates["randomBytesPerSecondCard"].items():
            lines += [f"| GPU memory, {window} | {rate:.3g} |"]
        lines += [f"| host memory over PCIe | {rates['randomBytesPerSecondHost']:.3g} |"]
    return "\n".join(lines) + "\n"


def brief() -> int:
    """The shortest checks and nothing else, for a run under a checker."""
    from benchmarks.proof.gpu_checks import checks

    for _, check in checks(brief=True):
        check()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="run only the shortest checks, write nothing")
    options = parser.parse_args()
    try:
        from assay.proof.cuda.runtime import driver_version, require_device

        device = require_device()
    except ProofError as error:
        sys.stderr.write(f"no card that could be measured: {error}. Nothing was run and nothing written\n")
        return 2
    if options.brief:
        return brief()
    slug = "-".join("".join(c if c.isalnum() else " " for c in device.lower()).split())
    driver = ".".join(str(part) for part in driver_version())
    path = Path(f"benchmarks/gpu-{slug}.json")
    steps = Steps(path, {"device": device, "driver": f"for CUDA {driver}", "machine": machine(), "checks": {}})
    sys.stdout.write(
        f"{device}: about 6 minutes on a fast card, never more than {LIMIT_S / 60:.1f}; results in {path}\n"
    )
    # A kernel that hangs cannot be stopped from here: the process ends, and what was written stays.
    faulthandler.dump_traceback_later(LIMIT_S + 20, exit=True)
    good = checked(steps)
    measured(steps, good)
    lived(steps)
    sanitized(steps)
    text = table(steps.result)
    replace_section("gpu", text)
    sys.stdout.write(text)
    return 0 if good == set(ENGINES) else 1


if __name__ == "__main__":
    sys.exit(main())
