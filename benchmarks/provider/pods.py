"""A pod beside its host: the same programs on one core of it, in turn, in one run; and the daemon's own load with many.

Processor: a loop of plain Python, and NumPy's product of two matrices on one thread; seconds on the wall as the program
counts them, and of processor time, which hardly feels other work. Disk: fio past the page cache, in the pod's workspace
and in a folder of the same file system of the host.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy

from assay.provider.pods.pod import HostShare
from benchmarks.proof.machine import machine, write
from benchmarks.proof.page import replace_section
from benchmarks.provider.pod_host import PodHost, with_libraries, work_for
from benchmarks.renter.container_engine import IMAGE, container_engine, engine_available

T = TypeVar("T")
LEASE = 1
MEMORY, DISK = 1 << 30, 2 << 30
MANY_SHARE = HostShare(1, 64 << 20, 64 << 20, processes=64, open_files=1024)
AIM = 0.03
LOOP = """
import time
began, used = time.perf_counter(), time.process_time()
x = 1
for n in range({loops}):
    x = (x * 1103515245 + n) & 0x7fffffff
print(time.perf_counter() - began, time.process_time() - used)
"""
PRODUCT = """
import sys, time
sys.path.insert(0, {packages!r})
import numpy
a = numpy.random.default_rng(1).random(({side}, {side}), dtype=numpy.float32)
a @ a
began, used = time.perf_counter(), time.process_time()
for _ in range({products}):
    a @ a
print(time.perf_counter() - began, time.process_time() - used)
"""
ONE_THREAD = ("OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1")
MANY = ["--ioengine=libaio", "--iodepth=16"]
ONE = ["--ioengine=psync"]
# Name, fio's options, and whether its figure is bytes a second or operations a second.
DISK_TASKS = {
    "written in order, 1 MiB, 16 at once": (["--rw=write", "--bs=1M", *MANY], "bw_bytes"),
    "read in order, 1 MiB, 16 at once": (["--rw=read", "--bs=1M", *MANY], "bw_bytes"),
    "written here and there, 4 KiB, 16 at once": (["--rw=randwrite", "--bs=4k", *MANY], "iops"),
    "read here and there, 4 KiB, 16 at once": (["--rw=randread", "--bs=4k", *MANY], "iops"),
    "written in order, 1 MiB, one after the other": (["--rw=write", "--bs=1M", *ONE], "bw_bytes"),
    "read here and there, 4 KiB, one after the other": (["--rw=randread", "--bs=4k", *ONE], "iops"),
}


def sides(host: PodHost, core: int, here: Path) -> dict[str, Callable[..., str]]:
    """Runs a program in the pod, or on the host held to the same core; its output."""

    def inside(*command: str) -> str:
        code, said = host.run(LEASE, "/bin/busybox", "env", *ONE_THREAD, *command)
        if code:
            raise RuntimeError(f"in the pod: {said[-1000:]}")
        return said

    def outside(*command: str) -> str:
        line = ["taskset", "--cpu-list", str(core), "env", *ONE_THREAD, *command]
        return subprocess.run(line, cwd=here, capture_output=True, text=True, check=True).stdout

    return {"pod": inside, "host": outside}


def in_turn(runs: int, of: dict[str, Callable[[], T]]) -> dict[str, list[T]]:
    """What each side says in every run, the other one first every time."""
    found: dict[str, list[T]] = {name: [] for name in of}
    for run in range(runs):
        for name in sorted(of, reverse=bool(run % 2)):
            found[name].append(of[name]())
    return found


def processor(where: dict[str, Callable[..., str]], runs: int, scale: float) -> dict[str, Any]:
    """Seconds of both programs on both sides."""
    packages = str(Path(numpy.__file__).parents[1])
    programs = {
        "a loop in Python": LOOP.format(loops=int(20_000_000 * scale)),
        "products of matrices (NumPy)": PRODUCT.format(packages=packages, side=1024, products=max(1, int(60 * scale))),
    }
    python = str(Path(sys.executable).resolve())
    found: dict[str, Any] = {}
    for name, text in programs.items():
        work = {side: partial(run, python, "-I", "-S", "-c", text) for side, run in where.items()}
        said = in_turn(runs, work)
        for place, what in enumerate(("", ", processor time")):
            seconds = {side: [float(one.split()[place]) for one in of] for side, of in said.items()}
            found[f"{name}{what}"] = {"unit": "s", **compared(seconds)}
    return found


def disk(where: dict[str, Callable[..., str]], here: Path, runs: int, mib: int, seconds: int) -> dict[str, Any]:
    """Bytes or operations a second on both sides."""
    folders = {"pod": "/workspace", "host": str(here)}
    fio = shutil.which("fio") or "fio"

    def fio_of(side: str, *options: str) -> dict[str, Any]:
        said = where[side](
            fio, "--name=bench", f"--filename={folders[side]}/fio.bin", f"--size={mib}M", "--direct=1",
            "--output-format=json", *options,
        )  # fmt: skip
        return dict(json.loads(said[said.index("{") :])["jobs"][0])

    def measured(side: str, options: list[str], figure: str) -> float:
        job = fio_of(side, "--time_based", f"--runtime={seconds}", *options)
        return float(job["read" if "read" in options[0] else "write"][figure])

    for side in where:  # room that is written for the first time costs more, on both
        fio_of(side, "--rw=write", "--bs=1M", *MANY)
    return {
        name: {
            "unit": "bytes/s" if figure == "bw_bytes" else "1/s",
            **compared(
                in_turn(
                    runs,
                    {side: partial(measured, side, options, figure) for side in where},
                )
            ),
        }
        for name, (options, figure) in DISK_TASKS.items()
    }


def compared(found: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, and the pod's beside the host's: in each run by itself, so that what slows both is not counted."""
    ratios = [pod / host for pod, host in zip(found["pod"], found["host"], strict=True)]
    return {
        "runs": {name: [round(one, 4) for one in of] for name, of in found.items()},
        "median": {name: round(statistics.median(of), 4) for name, of in found.items()},
        "ratio": round(statistics.median(ratios), 4),
    }


def many(engine: str, folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """The daemon's work for no pod, and for so many; how long they took to start and to go."""
    host = PodHost(engine, folder, IMAGE)
    cores = sorted(os.sched_getaffinity(0))
    none = work_for(host, min(seconds, 10.0))
    try:
        began = time.monotonic()
        for number in range(count):
            host.start(number + 1, MANY_SHARE, [cores[number % len(cores)]])
        started = time.monotonic()
        some = work_for(host, seconds)
        ending = time.monotonic()
        host.close()
        gone = time.monotonic() - ending
    finally:
        host.close()
    return {"startSeconds": round(started - began, 2), "removeSeconds": round(gone, 2), "without": none, "with": some}


def measure(engine: str, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    before = machine()
    core = sorted(os.sched_getaffinity(0))[-1]
    here = folder / "host"
    here.mkdir(parents=True, exist_ok=True)
    host = PodHost(engine, folder / "one", IMAGE)
    try:
        host.start(LEASE, HostShare(1, MEMORY, DISK, processes=256, open_files=4096), [core])
        python = Path(sys.executable).resolve()
        library = Path(sysconfig.get_path("stdlib"))
        found = Path(numpy.__file__).parent
        beside = [one for one in (found.with_name("numpy.libs"),) if one.exists()]
        modules = [one for folder in (library, found, *beside) for one in folder.rglob("*.so*")]
        programs = with_libraries(Path(shutil.which("fio") or "fio"), python, *modules)
        host.bring(LEASE, [*(one for one in programs if one not in modules), library, found, *beside])
        where = sides(host, core, here)
        by_processor = processor(where, given.runs, given.scale)
        by_disk = disk(where, here, given.runs, given.mib, given.seconds)
    finally:
        host.close()
        shutil.rmtree(here, ignore_errors=True)
    load = many(engine, folder / "many", given.pods, given.load_seconds)
    return {"machine": before, "processor": by_processor, "disk": by_disk, "daemon": load}


def section(result: dict[str, Any]) -> str:
    """What docs/reference/benchmarks.md shows."""
    on, load = result["machine"], result["daemon"]
    with_, without = load["with"], load["without"]
    rows = ""
    for name, row in {**result["processor"], **result["disk"]}.items():
        pod, host = row["median"]["pod"], row["median"]["host"]
        show = {"s": "{:.2f} s", "bytes/s": "{:,.0f} MiB/s", "1/s": "{:,.0f} a second"}[row["unit"]]
        scale = 1 << 20 if row["unit"] == "bytes/s" else 1
        rows += f"| {name} | {show.format(pod / scale)} | {show.format(host / scale)} | {row['ratio']:.3f} |\n"
    count = len(next(iter(result["processor"].values()))["runs"]["pod"])
    return (
        f"{on['processor']}, {on['threads']} threads, {on['date']}, load {on['loadBefore']} before the run; "
        f"{count} runs in turn, on one core; medians, and the median of the runs' ratios (aim: within {AIM:.0%}).\n\n"
        f"| | pod | host | pod / host |\n|---|---|---|---|\n{rows}\n"
        f"| the daemon's work | no pod | {with_['pods']} pods |\n|---|---|---|\n"
        f"| of one core | {without['cores']:.1%} | {with_['cores']:.1%} |\n"
        f"| resident, MiB | {without['mib']:.0f} | {with_['mib']:.0f} |\n"
        f"| slowest block, ms | {without['slowestBlockMs']:.0f} | {with_['slowestBlockMs']:.0f} |\n"
        f"| keepers and monitors beside them: of one core | | {with_['besideCores']:.1%} |\n"
        f"| the same, MiB that nobody else holds | | {with_['besideMib']:.0f} |\n"
        f"| all started, one after the other, s | | {load['startSeconds']:.1f} |\n"
        f"| all removed, s | | {load['removeSeconds']:.1f} |\n"
    )


def main() -> None:
    """Measures, writes the result and its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-pods"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/provider/pods.json"))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the programs for the processor")
    parser.add_argument("--mib", type=int, default=512, help="of the file for the disk")
    parser.add_argument("--seconds", type=int, default=4, help="of each run on the disk")
    parser.add_argument("--pods", type=int, default=16)
    parser.add_argument("--load-seconds", type=float, default=60.0)
    parser.add_argument("--no-page", action="store_true", help="leave docs/reference/benchmarks.md as it is")
    given = parser.parse_args()
    if not engine_available() or shutil.which("fio") is None:
        raise SystemExit("needs root, podman, runc, busybox-static and fio")
    with container_engine(given.folder / "podman") as variables:
        result = measure(variables["ASSAY_CONTAINER_ENGINE"], given.folder.resolve(), given)
    write(given.out, result)
    if not given.no_page:
        replace_section("pods", section(result))
    print(section(result))


if __name__ == "__main__":
    main()
