"""What a pod has, measured from inside it: run as one file by the pod's own Python, 3.8 or newer, with nothing but its
standard library; fio, iperf3, nvidia-smi and PyTorch are used where the image has them, and of the cards' driver the
library that comes with them. Prints one line of JSON.

Whoever has root on the machine can make every figure up.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import operator
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
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
COPY_BYTES = 64 << 20  # of each core: more than its share of any cache
MAX_COPIES = 64
COPY_SECONDS = 0.7
LINK_BYTES = 256 << 20
LINK_SECONDS = 0.5
MARK = "assay-check "
LINKS = "--links"


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


def memory_rate() -> int:
    """GB a second of the machine's memory, all cores copying at once, the best of a few looks; what is read and what is
    written count, as in STREAM's copy."""
    return max(_memory_rate() for _ in range(LOOKS))


def _memory_rate() -> int:
    count = max(1, min(cores(), MAX_COPIES, (memory_mib() << 20) // (8 * COPY_BYTES)))
    moved, ready = [0] * count, threading.Barrier(count)
    began = [0.0] * count

    def copy(number: int) -> None:
        one, other = (ctypes.create_string_buffer(COPY_BYTES) for _ in range(2))
        for buffer in (one, other):
            ctypes.memset(buffer, number + 1, COPY_BYTES)  # pages that nothing was written to are not in memory yet
        ready.wait()
        began[number] = time.perf_counter()
        while moved[number] == 0 or time.perf_counter() - began[number] < COPY_SECONDS:
            ctypes.memmove(one, other, COPY_BYTES)  # without the interpreter's lock
            moved[number] += 2 * COPY_BYTES

    threads = [threading.Thread(target=copy, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return round(sum(moved) / (time.perf_counter() - min(began)) / 1e9)


class Driver:
    """Calls of the cards' driver. Raises OSError for one that fails, and where there is no driver."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library)
        self("cuInit", 0)

    def __call__(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise OSError(f"{name}: {status}")


class Card:
    """One card with memory to copy to; its calls are for the context that was entered last."""

    def __init__(self, driver: Driver, number: int) -> None:
        self.context, self.memory = ctypes.c_void_p(), ctypes.c_uint64()
        device = ctypes.c_int()
        driver("cuDeviceGet", ctypes.byref(device), ctypes.c_int(number))
        driver("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), device)
        self.enter(driver)
        driver("cuMemAlloc_v2", ctypes.byref(self.memory), ctypes.c_size_t(LINK_BYTES))

    def enter(self, driver: Driver) -> None:
        driver("cuCtxSetCurrent", self.context)


def link_rates(library: str) -> tuple[int, int]:
    """(to and from the host, from card to card) in MB a second, the slower way of the slowest; zero where there is no
    such way. Raises OSError, AttributeError where the driver is none that this knows.
    """
    driver, count = Driver(library), ctypes.c_int()
    driver("cuDeviceGetCount", ctypes.byref(count))
    found = [Card(driver, number) for number in range(count.value)]
    to_host = [rate for card in found for rate in _to_and_from_host(driver, card)]
    around = [(card, found[(n + step) % len(found)]) for n, card in enumerate(found) for step in (1, -1)]
    between = [_to_other(driver, card, other) for card, other in around if card is not other]
    return min(to_host, default=0), min(between, default=0)


def _to_and_from_host(driver: Driver, card: Card) -> tuple[int, int]:
    card.enter(driver)
    host, size = ctypes.c_void_p(), ctypes.c_size_t(LINK_BYTES)
    driver("cuMemHostAlloc", ctypes.byref(host), size, ctypes.c_uint(0))
    return (
        _link_rate(lambda: driver("cuMemcpyHtoD_v2", card.memory, host, size)),
        _link_rate(lambda: driver("cuMemcpyDtoH_v2", host, card.memory, size)),
    )


def _to_other(driver: Driver, card: Card, other: Card) -> int:
    card.enter(driver)
    with suppress(OSError):  # enabled before, or no link: then the driver copies by way of the host
        driver("cuCtxEnablePeerAccess", other.context, ctypes.c_uint(0))

    def copy() -> None:
        driver("cuMemcpyPeer", other.memory, other.context, card.memory, card.context, ctypes.c_size_t(LINK_BYTES))
        driver("cuCtxSynchronize")

    return _link_rate(copy)


def _link_rate(copy: Callable[[], None]) -> int:
    copy()  # a link that was idle is slower at first
    began, count = time.perf_counter(), 0
    while count < 4 or time.perf_counter() - began < LINK_SECONDS:
        copy()
        count += 1
    return round(count * LINK_BYTES / (time.perf_counter() - began) / 1e6)


def links() -> tuple[int, int]:
    """`link_rates` in a process of its own, which may crash or hang with the driver; zeros then, and without cards."""
    told = _output([sys.executable, __file__, LINKS, "libcuda.so.1"])
    try:
        to_host, between = json.loads(told)
        return int(to_host), int(between)
    except (ValueError, TypeError):
        return 0, 0


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
    to_host, between = links() if found else (0, 0)
    values = {
        "hostCores": cores(), "hostMemoryMib": memory_mib(), "hostDiskMib": disk_mib(folder), "diskReadMbs": read,
        "diskWriteMbs": write, "gpus": len(found), "bf16Tflops": product, "bandwidthGbs": copy,
        "networkUpMbps": up, "networkDownMbps": down, "hostMemoryGbs": memory_rate(), "pcieMbs": to_host,
        "cardLinkMbs": between,
    }  # fmt: skip
    told = {"values": {name: value for name, value in values.items() if value > 0}, "cards": found[:16]}
    print(MARK + json.dumps(told), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [LINKS]:
        print(json.dumps(link_rates(sys.argv[2])))
        sys.exit()
    main(*(sys.argv[1:3] or ["."]))
