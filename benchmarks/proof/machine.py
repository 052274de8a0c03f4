"""What a benchmark ran on, for the files it writes."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple


def machine() -> dict[str, Any]:
    """Processor, threads, load before the run, versions, date."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    import llvmlite
    import numba
    import numpy

    return {
        "processor": model,
        "threads": len(os.sched_getaffinity(0)),
        "loadBefore": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
    }


class Spent(NamedTuple):
    """Median seconds on the wall, and of processor time over all threads: the second hardly feels a busy machine."""

    wall: float
    processor: float


def interleaved(tasks: Mapping[str, Callable[[], object]], runs: int) -> dict[str, Spent]:
    """Medians of each task; the tasks take turns, so that all see the same disturbances."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(runs):
        for name, task in tasks.items():
            wall, processor = time.perf_counter(), time.process_time()
            task()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        name: Spent(statistics.median(w for w, _ in of), statistics.median(p for _, p in of))
        for name, of in times.items()
    }


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a result."""
    path.write_text(json.dumps(values, indent=2) + "\n")
