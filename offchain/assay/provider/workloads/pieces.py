"""Large files of a lease, a piece at a time: no more than one is in memory, and what broke off goes on.

What has come of a file stands beside where it will be, under a name that its path and length determine.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assay.provider.errors import Conflict, NotFound, ProviderError
from assay.provider.workloads.workspace import PERMISSIONS, Owner, open_folder, parts_of

READ = 1 << 20
NOTHING = hashlib.sha256().hexdigest()
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Beginning:
    """The first `offset` bytes of a file, by their SHA-256; its whole size and permissions."""

    offset: int
    sha256: str
    size: int
    mode: int


def beginning(root: Path, path: str, most: int) -> Beginning:
    """The first bytes of a regular file, at most `most`. Raises NotFound."""
    with open_file(root, path) as file:
        status = os.fstat(file.fileno())
        offset, digest = _hashed(file.fileno(), min(most, status.st_size))
        return Beginning(offset, digest, status.st_size, stat.S_IMODE(status.st_mode) & PERMISSIONS)


def arrived(root: Path, path: str, total: int) -> Beginning:
    """What has come of a file of `total` bytes: nothing where it was not begun."""
    try:
        with open_file(root, _partial_path(path, total)) as file:
            offset, digest = _hashed(file.fileno(), min(total, os.fstat(file.fileno()).st_size))
            return Beginning(offset, digest, total, 0)
    except NotFound:
        return Beginning(0, NOTHING, total, 0)


def open_file(root: Path, path: str) -> BinaryIO:
    """A regular file, reached through no link. Raises NotFound."""
    parts = parts_of(path)
    folder = open_folder(root, parts[:-1])
    try:
        # Non-blocking: a fifo that a workload left here must not hold the reader.
        handle = os.open(parts[-1], _READING, dir_fd=folder)
    except OSError as error:
        raise NotFound(f"no such file: {path!r}") from error
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotFound(f"not a regular file: {path!r}")
    return os.fdopen(handle, "rb")


def _hashed(handle: int, most: int) -> tuple[int, str]:
    digest, at = hashlib.sha256(), 0
    while at < most and (piece := os.pread(handle, min(READ, most - at), at)):
        digest.update(piece)
        at += len(piece)
    return at, digest.hexdigest()


def _partial_name(name: bytes, total: int) -> bytes:
    return b".partial-" + hashlib.sha256(name + b"/%d" % total).hexdigest()[:24].encode()


def _partial_path(path: str, total: int) -> str:
    *above, name = parts_of(path)
    return os.fsdecode(b"/".join((*above, _partial_name(name, total))))


def add_piece(
    root: Path, path: str, content: bytes, offset: int, total: int, mode: int, owner: Owner | None = None
) -> bool:
    """Puts a piece behind what has come; whether the file is whole, and in its place, now. Raises Conflict, with what
    there is, for a piece that does not follow on it."""
    parts = parts_of(path)
    if offset + len(content) > total or (not content and total):
        raise ProviderError(f"a piece of {len(content)} bytes at {offset} does not fit into {total}")
    folder = open_folder(root, parts[:-1], create=True, owner=owner)
    partial = _partial_name(parts[-1], total)
    try:
        try:
            # Only the first piece begins a file: of one that is whole, a piece sent again leaves nothing behind.
            flags = os.O_WRONLY | (0 if offset else os.O_CREAT) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                handle = os.open(partial, flags, 0o600, dir_fd=folder)
            except FileNotFoundError:
                raise Conflict(f"0 bytes of this file have come, the piece is for {offset}") from None
            try:
                _write(handle, content, offset, owner)
                whole = offset + len(content) == total
                if whole:
                    os.fchmod(handle, mode & PERMISSIONS)
            finally:
                os.close(handle)
            if whole:
                os.rename(partial, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            return whole
        except OSError as error:
            raise ProviderError(f"cannot write {path!r}: {error.strerror}") from error
    finally:
        os.close(folder)


def _write(handle: int, content: bytes, offset: int, owner: Owner | None) -> None:
    status = os.fstat(handle)
    # One that a workload has linked elsewhere is written by nobody but itself.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise Conflict("something else is in the place of an unfinished file")
    if offset == 0:
        os.ftruncate(handle, 0)
    elif status.st_size != offset:
        raise Conflict(f"{status.st_size} bytes of this file have come, the piece is for {offset}")
    if owner is not None and status.st_uid != owner[0]:
        os.fchown(handle, *owner)
    view = memoryview(content)
    while view:
        count = os.pwrite(handle, view, offset)
        view, offset = view[count:], offset + count
