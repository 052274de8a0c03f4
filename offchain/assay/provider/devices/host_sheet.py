"""What this host finds out about itself for its devices' sheets: cores' speed and disk. Declared, since nobody else saw
it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from assay.provider.errors import BadProviderSetting
from assay.sheet.declared import MAX_DECLARED, DeclaredSheet

BLOCK = 4 << 20
MAX_BYTES = 256 << 20
SECONDS = 1.0  # each way
FREE_SHARE = 8  # of what is free, at most this part is written
Clock = Callable[[], float]


def host_sheet(
    data_dir: Path,
    cards: int,
    network_up: int = 0,
    network_down: int = 0,
    disk: bool = True,
    proc: Path = Path("/proc"),
    sys: Path = Path("/sys"),
) -> DeclaredSheet:
    """What is found on this machine, with what its operator tells of the network, in Mbit a second. Takes two
    seconds or so for the disk that leases will lie on. Raises BadProviderSetting.
    """
    for option, value in (("--network-up", network_up), ("--network-down", network_down)):
        if not 0 <= value < MAX_DECLARED:
            raise BadProviderSetting(f"{option} {value}: expected Mbit a second, at most {MAX_DECLARED - 1}")
    write, read = disk_rates(data_dir) if disk else (0, 0)
    return DeclaredSheet(
        cards_in_host=cards,
        cpu_mhz=cpu_mhz(proc, sys),
        disk_read_mbs=read,
        disk_write_mbs=write,
        network_up_mbps=network_up,
        network_down_mbps=network_down,
    )


def cpu_mhz(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> int:
    """MHz that a core reaches at most, as the kernel tells it; what one runs at now where it tells no more; else 0."""
    with contextlib.suppress(OSError, ValueError):
        return int((sys / "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq").read_text()) // 1000
    with contextlib.suppress(OSError, ValueError):
        lines = (proc / "cpuinfo").read_text(errors="replace").splitlines()
        return round(max(float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")))
    return 0


def disk_rates(folder: Path, most: int = MAX_BYTES, clock: Clock = time.perf_counter) -> tuple[int, int]:
    """(write, read) in MB a second, in sequence, beside the page cache where the file system lets it be passed by;
    (0, 0) where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = os.statvfs(folder)
        size = min(most, free.f_bavail * free.f_frsize // FREE_SHARE) // BLOCK * BLOCK
        if size <= 0:
            return 0, 0
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".disk-rate-") as file:
            return _measured(Path(file.name), size, clock)
    except OSError:
        return 0, 0


def _measured(path: Path, size: int, clock: Clock) -> tuple[int, int]:
    with mmap.mmap(-1, BLOCK) as block:  # aligned to a page, as direct access wants it
        block.write(os.urandom(BLOCK))
        began, done = clock(), 0
        target = _opened(path, os.O_WRONLY)
        try:
            while done < size and (done == 0 or clock() - began < SECONDS):
                done += os.write(target, block)
            os.fsync(target)
        finally:
            os.close(target)
        write = _rate(done, clock() - began)
        target = _opened(path, os.O_RDONLY)
        try:
            os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)
            began, seen = clock(), 0
            while seen < done and (seen == 0 or clock() - began < SECONDS):
                seen += os.readv(target, [block])
        finally:
            os.close(target)
        return write, _rate(seen, clock() - began)


def _opened(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError:  # tmpfs and some network file systems
        return os.open(path, flags)


def _rate(size: int, seconds: float) -> int:
    return round(size / 1e6 / max(seconds, 1e-6))
