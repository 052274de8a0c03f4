"""Files of a lease. Workloads write here too, so no path and no link in it is trusted."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assay.provider.errors import NotFound, ProviderError, TooLarge

MAX_PATH_PARTS = 16
MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class FileEntry:
    """A regular file below the workspace: its relative path and size in bytes."""

    path: str
    size: int


def parts_of(path: str) -> tuple[str, ...]:
    """The components of a relative path; raises ProviderError for anything that could lead elsewhere."""
    pure = PurePosixPath(path)
    parts = pure.parts
    if not parts or pure.is_absolute() or "\x00" in path or len(parts) > MAX_PATH_PARTS:
        raise ProviderError(f"not a relative path of at most {MAX_PATH_PARTS} parts: {path[:200]!r}")
    for part in parts:
        if part == ".." or len(part.encode()) > MAX_NAME_BYTES:
            raise ProviderError(f"path component not allowed: {part[:200]!r}")
    return parts


def _open_folder(root: Path, parts: tuple[str, ...], create: bool) -> int:
    """A descriptor of the folder, reached without following any link. The caller closes it."""
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=current)
            following = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
        except (FileNotFoundError, NotADirectoryError, OSError) as error:
            raise NotFound(f"no such folder: {'/'.join(parts)}") from error
        finally:
            os.close(current)
        current = following
    return current


def read_file(root: Path, path: str, most: int) -> bytes:
    """The content of a regular file below `root`, of at most `most` bytes."""
    parts = parts_of(path)
    folder = _open_folder(root, parts[:-1], create=False)
    try:
        # Non-blocking: a fifo that a workload left here must not hold the reader.
        source = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise NotFound(f"no such file: {path}") from error
    finally:
        os.close(folder)
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        os.close(source)
        raise NotFound(f"not a regular file: {path}")
    with os.fdopen(source, "rb") as file:
        if status.st_size > most:
            raise TooLarge(f"{path} has {status.st_size} bytes; at most {most} can be fetched at once")
        return file.read(most)


def read_piece(path: Path, offset: int, most: int) -> bytes:
    """At most `most` bytes of a file of ours from `offset` on; nothing where it does not exist yet."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(most)
    except FileNotFoundError:
        return b""


def write_file(root: Path, path: str, content: bytes, executable: bool = False) -> None:
    """Writes a file below `root`, creating folders; replaces what is there, never through a link."""
    parts = parts_of(path)
    root.mkdir(parents=True, exist_ok=True)
    folder = _open_folder(root, parts[:-1], create=True)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(parts[-1], dir_fd=folder)
        mode = 0o755 if executable else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        target = os.open(parts[-1], flags, mode, dir_fd=folder)
    except OSError as error:
        raise ProviderError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.close(folder)
    with os.fdopen(target, "wb") as file:
        file.write(content)


def entries(root: Path, most: int = 10_000) -> Iterator[FileEntry]:
    """Regular files below `root`, links left out, at most `most`."""
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield FileEntry(path.relative_to(root).as_posix(), status.st_size)
                count += 1
                if count >= most:
                    return


def total_bytes(root: Path) -> int:
    """Sum of the sizes of the regular files below `root`."""
    return count(root)[1]


def count(root: Path) -> tuple[int, int]:
    """How many regular files are below `root`, and the sum of their sizes."""
    sizes = [entry.size for entry in entries(root, most=1_000_000)]
    return len(sizes), sum(sizes)


def wipe(root: Path) -> int:
    """Removes everything below `root` and `root` itself; how many entries are left (0)."""
    if not root.exists():
        return 0
    shutil.rmtree(root)
    return sum(1 for _ in root.iterdir()) if root.exists() else 0
