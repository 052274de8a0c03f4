"""Folders that are copied to and from a lease: what is in one, and what another host says is to be in one.

What a provider names is not trusted: nothing is written through a link, nor outside of the folder that was given.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assay.renter.errors import BadInput

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PERMISSIONS = 0o777


@dataclass(frozen=True)
class LocalEntry:
    """What is put on a lease: a file, folder or link of this machine, and its path there. `target` is a link's text."""

    kind: Literal["file", "folder", "link"]
    local: Path
    remote: str
    mode: int = 0o644
    target: str = ""


def remote_text(path: str | bytes | Path) -> str:
    """A local name as a lease takes it: UTF-8, whatever this machine's names are in."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def local_text(path: str) -> str:
    """A lease's name as this machine takes it. Raises BadInput."""
    try:
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    except UnicodeError:
        raise BadInput(f"{path!r}: this machine has no such file name") from None


def entries_below(folder: Path, remote: str) -> Iterator[LocalEntry]:
    """Everything in a folder of ours; links as links; each folder behind what is in it, for its permissions may forbid
    to put that there. Raises BadInput for a folder that cannot be read.
    """
    waiting = [(folder, remote)]
    folders: list[LocalEntry] = []
    while waiting:
        current, there = waiting.pop()
        try:
            found = sorted(os.scandir(current), key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            raise BadInput(f"{current}: {error.strerror}") from None
        for entry in found:
            path = Path(entry.path)
            name = f"{there}/{remote_text(entry.name)}" if there else remote_text(entry.name)
            mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) & PERMISSIONS
            if entry.is_symlink():
                yield LocalEntry("link", path, name, target=remote_text(path.readlink()))
            elif entry.is_dir():
                waiting.append((path, name))
                folders.append(LocalEntry("folder", path, name, mode))
            elif entry.is_file():
                yield LocalEntry("file", path, name, mode)
    yield from reversed(folders)


def parts_below(path: str) -> tuple[str, ...]:
    """The names of a path that a provider gave, below a folder of ours. Raises BadInput for one that leads out."""
    parts = tuple(local_text(path).split("/"))
    if any(part in ("", ".", "..") or "\x00" in part for part in parts):
        raise BadInput(f"{path!r}: the provider names a file outside of the folder")
    return parts


def save_named(path: Path, content: bytes) -> bool:
    """Writes to what the renter has named and is no plain file, such as a pipe; False where there is no such thing."""
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            return False
        path.write_bytes(content)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    return True


def save_file(root: Path, parts: tuple[str, ...], content: bytes, mode: int) -> None:
    """Writes a file below `root`, in place of what is there. Raises BadInput."""
    with _at(root, parts) as folder:
        partial = f".{secrets.token_hex(8)}.partial"
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(handle, mode & PERMISSIONS)
            os.rename(partial, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(partial, dir_fd=folder)
            raise


def save_link(root: Path, parts: tuple[str, ...], target: str) -> None:
    """Makes a link below `root`, in place of a file or link. Raises BadInput."""
    with _at(root, parts) as folder:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=folder)
        os.symlink(local_text(target), parts[-1], dir_fd=folder)


def save_folder(root: Path, parts: tuple[str, ...], mode: int | None = None) -> None:
    """Makes a folder below `root`; with `mode` it gets these permissions. Raises BadInput."""
    with _at(root, (*parts, "")) as folder:
        if mode is not None:
            os.fchmod(folder, mode & PERMISSIONS)


@contextlib.contextmanager
def _at(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """A descriptor of the folder that holds the last of `parts`, made where it is missing."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        current = os.open(root, FOLDER & ~os.O_NOFOLLOW)
        try:
            for part in parts[:-1]:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
                inner = os.open(part, FOLDER, dir_fd=current)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)
    except (OSError, ValueError) as error:
        where = root.joinpath(*parts)
        raise BadInput(f"{where}: {getattr(error, 'strerror', None) or error}") from None
