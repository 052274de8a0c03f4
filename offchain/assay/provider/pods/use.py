"""What a pod uses at one instant, from its control groups."""

from __future__ import annotations

import contextlib
from pathlib import Path

from assay.provider.pods.pod import PodUse
from assay.provider.pods.processes.pod_process import control_groups

NANO, MICRO = 1_000_000_000, 1_000_000


def measure(pid: int, disk_bytes: int, network: tuple[int, int], now: float) -> PodUse:
    """`pid` is the pod's first process, `network` what it has received and sent. Raises OSError once it is gone."""
    groups = {controller: folder for names, folder in control_groups(pid) for controller in names.split(",")}
    unified = groups.get("", Path("/nonexistent"))
    if "memory" in groups:
        cpu = _number(groups["cpuacct"] / "cpuacct.usage") / NANO
        memory = _number(groups["memory"] / "memory.usage_in_bytes")
        memory -= _field(groups["memory"] / "memory.stat", "total_inactive_file")
        processes = _number(groups["pids"] / "pids.current")
    else:
        cpu = _field(unified / "cpu.stat", "usage_usec") / MICRO
        memory = _number(unified / "memory.current") - _field(unified / "memory.stat", "inactive_file")
        processes = _number(unified / "pids.current")
    return PodUse(now, cpu, max(0, memory), disk_bytes, processes, network[0], network[1])


def _number(path: Path) -> int:
    return int(path.read_text())


def _field(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
