"""Files that are made once and never overwritten."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Writes a file that is not there yet, with its folders: in whole or, where the disk is full, not at all. Raises
    FileExistsError, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        # What is left would be in the way of the next try, and holds no key.
        with suppress(OSError):
            path.unlink()
        raise


@contextmanager
def together(*paths: Path) -> Iterator[None]:
    """Those of these files that a `with` block makes are taken away again where it fails: half of what belongs together
    would be in the way of the next try."""
    before = [path for path in paths if path.exists()]
    try:
        yield
    except BaseException:
        for path in paths:
            if path not in before:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        raise


def readable_by_others(path: Path) -> bool:
    """Whether accounts that are neither the file's owner nor in its group may read it."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
