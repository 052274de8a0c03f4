"""What a pod has, measured from inside it: run as one file by the pod's own Python, 3.8 or newer, with nothing but its
standard library; fio, iperf3, nvidia-smi and PyTorch are used where the image has them. Prints one line of JSON.

Whoever has root on the machine can make every figure up.
"""

from __future__ import annotations

import importlib
import json
import mmap
import operator
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLOCK = 4 << 20
FILE_BYTES = 256 << 20
SECONDS = 2.0
LOOKS = 3
MARK = "assay-check "


def cores() -> int:
    """Whole cores that the pod may use: of its affinity, or of its quota where that is less."""
    found = len(os.sched_getaffinity(0))
    quota = _words("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
        found = min(found, int(quota[0]) // int(quota[1]))
    return found


def memory_mib() -> int:
    """Memory that it may use."""
    limit = _words("/sys/fs/cgroup/memory.max")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (min(total, int(limit[0])) if limit and limit[0].isdigit() else total) >> 20


def disk_mib(folder: str) -> int:
    """The size of the disk that a folder is on."""
    told = os.statvfs(folder)
    return told.f_blocks * told.f_frsize >> 20


def disk_rates(folder: str) -> tuple[int, int]:
    """(read, write) in MB a second, the best of a few looks each: others work on the host's disk too."""
    looks = [_disk_rates(folder) for _ in range(LOOKS)]
    return max(read for read, _ in looks), max(write for _, write in looks)


def _disk_rates(folder: str) -> tuple[int, int]:
    """In sequence, beside the page cache where that can be passed by."""
    if shutil.which("fio"):
        found = [_fio(folder, kind) for kind in ("read", "write")]
        if all(found):
            return found[0], found[1]
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".assay-check-") as file, mmap.mmap(-1, BLOCK) as block:
        block.write(os.urandom(BLOCK))
        write = _moved(file.name, os.O_WRONLY, lambda target: os.write(target, block))
        read = _moved(file.name, os.O_RDONLY, lambda target: os.readv(target, [block]))
    return read, write


def _moved(path: str, flags: int, move: Callable[[int], int]) -> int:
    try:
        target = os.open(path, flags | os.O_DIRECT)
    except OSError:
        target = os.open(path, flags)
    try:
        began, done = time.perf_counter(), 0
        while done < FILE_BYTES and (done == 0 or time.perf_counter() - began < SECONDS):
            size = move(target)
            if not size:
                break
            done += size
        if flags == os.O_WRONLY:
            os.fsync(target)
        return round(done / 1e6 / max(time.perf_counter() - began, 1e-6))
    finally:
        os.close(target)


def _fio(folder: str, kind: str) -> int:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".assay-check-") as place:
        told = _output(
            [
                "fio",
                "--name=check",
                f"--rw={kind}",
                "--bs=4m",
                "--direct=1",
                f"--size={FILE_BYTES}",
                f"--directory={place}",
                "--output-format=json",
            ]
        )
        try:
            return int(json.loads(told)["jobs"][0][kind]["bw_bytes"] / 1e6)
        except (ValueError, KeyError, IndexError, TypeError):
            return 0


def cards() -> list[dict[str, Any]]:
    """What nvidia-smi tells of each card: name, MiB, driver."""
    told = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"])
    found = []
    for line in told.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 3 and parts[1].isdigit():
            found.append({"name": parts[0], "memoryMib": int(parts[1]), "driver": parts[2]})
    return found


def card_rates() -> tuple[int, int]:
    """(bf16 TFLOP/s, GB/s of memory) of the slowest card, by a product and a copy in PyTorch; zeros without it."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return 0, 0
    if not torch.cuda.is_available():
        return 0, 0
    products, copies = [], []
    for number in range(torch.cuda.device_count()):
        with torch.cuda.device(number):
            a, b = (torch.randn(8192, 8192, device="cuda").bfloat16() for _ in range(2))
            products.append(2 * 8192**3 / _timed(torch, partial(operator.matmul, a, b)) / 1e12)
            x = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
            y = torch.empty_like(x)
            copies.append(2 * x.numel() / _timed(torch, partial(y.copy_, x)) / 1e9)
    return round(min(products)), round(min(copies))


def _timed(torch: Any, work: Callable[[], Any]) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    began, count = time.perf_counter(), 0
    while count < 10 or time.perf_counter() - began < SECONDS:
        work()
        count += 1
        if count % 10 == 0:
            torch.cuda.synchronize()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / count


def _output(command: list[str]) -> str:
    if not shutil.which(command[0]):
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:
        return []


def network(server: str) -> tuple[int, int]:
    """(up, down) in Mbit a second to a server of iperf3; zeros without it."""
    host, _, port = server.rpartition(":")
    return _iperf(host, port, "sum_sent"), _iperf(host, port, "sum_received", "--reverse")


def _iperf(host: str, port: str, which: str, *more: str) -> int:
    told = _output(["iperf3", "--client", host, "--port", port, "--json", "--time", "5", *more])
    try:
        return int(json.loads(told)["end"][which]["bits_per_second"] / 1e6)
    except (ValueError, KeyError, TypeError):
        return 0


def main(folder: str, server: str = "") -> None:
    """Measures what there is; what cannot be measured is left out."""
    read, write = disk_rates(folder)
    product, copy = card_rates()
    found = cards()
    up, down = network(server) if server else (0, 0)
    values = {
        "hostCores": cores(), "hostMemoryMib": memory_mib(), "hostDiskMib": disk_mib(folder), "diskReadMbs": read,
        "diskWriteMbs": write, "gpus": len(found), "bf16Tflops": product, "bandwidthGbs": copy,
        "networkUpMbps": up, "networkDownMbps": down,
    }  # fmt: skip
    told = {"values": {name: value for name, value in values.items() if value > 0}, "cards": found[:16]}
    print(MARK + json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*(sys.argv[1:3] or ["."]))
