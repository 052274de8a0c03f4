"""Whether a snapshot fits on a pod's disk, before any of it is written."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from assay.provider.backups.restic import SOURCE
from assay.provider.errors import ProviderError
from assay.provider.workloads import workspace

BLOCK = 4096
GIB = 1 << 30


def missing_room(root: Path, total: int, count: int, listed: Callable[[], str]) -> str:
    """Why `total` bytes in `count` files and folders do not fit below `root`, empty where they do. What is there
    already and will be replaced counts as free: `listed` gives the snapshot's files as restic lists them."""
    found = os.statvfs(root)
    free, entries = found.f_bavail * found.f_frsize, found.f_favail
    needed = total + count * BLOCK // 2  # of each file the last block is half empty
    if needed <= free and count <= entries:
        return ""
    same_bytes, same_files = _replaced(root, listed())
    if needed - same_bytes <= free and count - same_files <= entries:
        return ""
    return (
        f"the snapshot does not fit: {total / GIB:.2f} GiB in {count} files and folders, and the pod's disk has "
        f"{free / GIB:.2f} GiB and {entries} entries free; nothing was written"
    )


def _replaced(root: Path, listed: str) -> tuple[int, int]:
    size = files = 0
    for path in _files(listed):
        try:
            folder = workspace.open_folder(root, path[:-1])
        except ProviderError:
            continue
        try:
            status = os.stat(path[-1], dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                size, files = size + status.st_blocks * 512, files + 1
        except OSError:
            pass  # not there: it needs room
        finally:
            os.close(folder)
    return size, files


def _files(listed: str) -> Iterator[tuple[bytes, ...]]:
    for line in listed.splitlines():
        try:
            found = json.loads(line)
            path = str(found["path"])
        except (ValueError, KeyError, TypeError):
            continue
        if found.get("type") == "file" and path.startswith(f"{SOURCE}/"):
            try:
                yield workspace.parts_of(path[len(SOURCE) + 1 :])
            except ProviderError:
                continue
