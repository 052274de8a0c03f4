"""Walks and removes folders that a workload may change meanwhile: by descriptors, through no link, to any depth.

Paths are not used: one that was looked at is another folder, or a link to one of this machine's, a moment later.
Imports the standard library only, for supervisors use it too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CONCURRENCY = 10_000  # names of a folder that are held in memory while it is emptied


@dataclass(frozen=True, slots=True)
class WalkedEntry:
    """An entry: `above` are the names of the folders that lead to it, valid until the next entry is asked for;
    `folder` is a descriptor of the last of them, valid as long."""

    above: Sequence[bytes]
    name: bytes
    status: os.stat_result
    folder: int

    def path(self) -> bytes:
        """Relative to where the walk began."""
        return b"/".join((*self.above, self.name))


@dataclass(slots=True)
class _Level:
    """A folder on the way down: which it is, and the names that are still to come, last first."""

    identity: tuple[int, int]
    names: list[bytes] = field(default_factory=list)
    resumed: bytes | None = None  # was yielded by an earlier walk: only what is below it
    below: tuple[bytes, ...] = ()  # where that walk came to an end below `resumed`


def walk(root: int, after: Sequence[bytes] = (), max_bytes: int | None = None) -> Iterator[WalkedEntry]:
    """Everything below the folder `root`, a folder before what is in it, by the bytes of names.

    Goes on behind the entry `after` where one is given. Folders whose paths are longer than `most_bytes` are not
    entered. One descriptor is open at a time. Of folders that are moved while they are walked, the rest is left out.
    """
    current = os.open(".", FOLDER, dir_fd=root)
    try:
        above: list[bytes] = []
        length = 0
        levels = [_level(current, tuple(after))]
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if levels:
                    length -= len(above.pop()) + 1
                    outer, moved = _up(root, current, levels[-1].identity)
                    os.close(current)
                    current = outer
                    if moved:
                        del levels[1:]
                        above.clear()
                        length = 0
                continue
            name = level.names.pop()
            try:
                status = os.stat(name, dir_fd=current, follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            resumed = name == level.resumed
            if not resumed:
                yield WalkedEntry(above, name, status, current)
            deeper = length + len(name) + 1
            if not stat.S_ISDIR(status.st_mode) or (max_bytes is not None and deeper > max_bytes):
                continue
            try:
                inner = os.open(name, FOLDER, dir_fd=current)
            except OSError:
                continue  # gone, a link by now, or not ours to read
            os.close(current)
            current = inner
            above.append(name)
            length = deeper
            levels.append(_level(current, level.below if resumed else ()))
    finally:
        os.close(current)


def _level(folder: int, after: tuple[bytes, ...]) -> _Level:
    status = os.fstat(folder)
    try:
        names = sorted((os.fsencode(name) for name in os.listdir(folder)), reverse=True)
    except OSError:
        names = []
    level = _Level((status.st_dev, status.st_ino), names)
    if after:
        level.names = [name for name in names if name >= after[0]]
        level.resumed, level.below = after[0], after[1:]
    return level


def _up(root: int, current: int, identity: tuple[int, int]) -> tuple[int, bool]:
    """The folder above, and whether it is another than the walk came from: then it is `root`."""
    with contextlib.suppress(OSError):
        above = os.open("..", FOLDER, dir_fd=current)
        status = os.fstat(above)
        if (status.st_dev, status.st_ino) == identity:
            return above, False
        os.close(above)
    return os.open(".", FOLDER, dir_fd=root), True


def count(path: Path) -> tuple[int, int]:
    """How many regular files are below a folder, and the sum of their sizes; nothing where there is none."""
    files = size = 0
    try:
        root = os.open(path, FOLDER)
    except OSError:
        return 0, 0
    try:
        for found in walk(root):
            if stat.S_ISREG(found.status.st_mode):
                files += 1
                size += found.status.st_size
    finally:
        os.close(root)
    return files, size


def remove(path: Path) -> int:
    """Removes a folder of ours with all that is in it; how many entries would not go (0). Raises nothing."""
    try:
        above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return 0 if not os.path.lexists(path) else 1
    try:
        try:
            root = os.open(path.name, FOLDER, dir_fd=above)
        except FileNotFoundError:
            return 0
        except OSError:
            return _unlinked(path.name, above)
        try:
            left = _emptied(root)
        finally:
            os.close(root)
        with contextlib.suppress(OSError):
            os.rmdir(path.name, dir_fd=above)
            return 0
        return max(left, 1)
    finally:
        os.close(above)


def _unlinked(name: str, folder: int) -> int:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return 1
    return 0


def _emptied(root: int) -> int:
    """Empties a folder; how many of its entries would not go.

    Folders are moved up into `root` before they are emptied: none is ever deep, whatever was nested in it.
    """
    stuck: set[bytes] = set()
    fresh = (f".removed-{secrets.token_hex(8)}-{number}".encode() for number in itertools.count())
    while names := _some_names(root, stuck):
        for name in names:
            try:
                _removed(root, name, fresh)
            except OSError:
                stuck.add(name)
    return len(stuck)


def _some_names(folder: int, without: set[bytes]) -> list[bytes]:
    try:
        with os.scandir(folder) as entries:
            names = (os.fsencode(entry.name) for entry in entries)
            return list(itertools.islice((name for name in names if name not in without), CONCURRENCY))
    except OSError:
        return []


def _removed(root: int, name: bytes, fresh: Iterator[bytes]) -> None:
    """Removes an entry of `root`; folders in it that are not empty land in `root`. Raises OSError."""
    try:
        os.unlink(name, dir_fd=root)
        return
    except (IsADirectoryError, PermissionError):
        pass
    folder = _opened(root, name)
    try:
        stuck: set[bytes] = set()
        while names := _some_names(folder, stuck):
            for inner in names:
                try:
                    _taken_out(root, folder, inner, fresh)
                except OSError:
                    stuck.add(inner)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=root)


def _taken_out(root: int, folder: int, name: bytes, fresh: Iterator[bytes]) -> None:
    try:
        os.unlink(name, dir_fd=folder)
        return
    except (IsADirectoryError, PermissionError):
        pass
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        # To move a folder elsewhere its own permissions count, and it may have none.
        os.close(_opened(folder, name))
        os.rename(name, next(fresh), src_dir_fd=folder, dst_dir_fd=root)


def _opened(above: int, name: bytes) -> int:
    """A descriptor of a folder, made readable and writable if it is not. Raises OSError."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            # By the descriptor, which is no link: the name may be one by now.
            Path(f"/proc/self/fd/{handle}").chmod(stat.S_IRWXU)
        return os.open(".", FOLDER, dir_fd=handle)
    finally:
        os.close(handle)
