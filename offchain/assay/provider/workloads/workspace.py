"""Files of a lease. Workloads write here too, so no path and no link in it is trusted.

Names are bytes to the kernel. As text they are UTF-8, and bytes that are not are what `surrogateescape` makes of them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from assay.provider.errors import NotFound, ProviderError, TooLarge
from assay.provider.workloads import folder_walk
from assay.provider.workloads.folder_walk import FOLDER

MAX_PATH_BYTES = 4095  # as Linux takes them
MAX_NAME_BYTES = 255
MAX_PAGE = 10_000
PERMISSIONS = 0o777  # no set-user-ID bits: files may go to another machine, and to another user
FILE_MODE, FOLDER_MODE = 0o644, 0o755

Owner = tuple[int, int]
"""User and group that a new file belongs to."""


@dataclass(frozen=True)
class FileEntry:
    """A regular file below the workspace: its relative path, size in bytes and permissions."""

    path: str
    size: int
    mode: int = FILE_MODE


@dataclass(frozen=True)
class FolderEntry:
    """A folder below the workspace."""

    path: str
    mode: int = FOLDER_MODE


@dataclass(frozen=True)
class LinkEntry:
    """A symbolic link below the workspace, with its text."""

    path: str
    target: str


@dataclass(frozen=True)
class FilePage:
    """A part of a listing, folders before what is in them. `next` asks for the part behind it, None at the end."""

    files: tuple[FileEntry, ...] = ()
    folders: tuple[FolderEntry, ...] = ()
    links: tuple[LinkEntry, ...] = ()
    next: str | None = None


def as_bytes(text: str) -> bytes:
    """The bytes of a name or path. Raises ProviderError for text that stands for none."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ProviderError(f"not a file name: {text[:200]!r}") from None


def as_text(name: bytes) -> str:
    """The text of a name or path of any bytes."""
    return name.decode("utf-8", "surrogateescape")


def parts_of(path: str) -> tuple[bytes, ...]:
    """The components of a relative path; raises ProviderError for anything that could lead elsewhere."""
    whole = as_bytes(path)
    parts = tuple(part for part in whole.split(b"/") if part not in (b"", b"."))
    if not parts or whole.startswith(b"/") or b"\x00" in whole or len(whole) > MAX_PATH_BYTES:
        raise ProviderError(f"not a relative path of at most {MAX_PATH_BYTES} bytes: {path[:200]!r}")
    for part in parts:
        if part == b".." or len(part) > MAX_NAME_BYTES:
            raise ProviderError(f"path component not allowed: {as_text(part)[:200]!r}")
    return parts


def read_file(root: Path, path: str, most: int) -> bytes:
    """The content of a regular file below `root`, of at most `most` bytes."""
    parts = parts_of(path)
    folder = open_folder(root, parts[:-1])
    try:
        # Non-blocking: a fifo that a workload left here must not hold the reader.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        source = os.open(parts[-1], flags, dir_fd=folder)
    except OSError as error:
        raise NotFound(f"no such file: {path!r}") from error
    finally:
        os.close(folder)
    status = os.fstat(source)
    if not stat.S_ISREG(status.st_mode):
        os.close(source)
        raise NotFound(f"not a regular file: {path!r}")
    with os.fdopen(source, "rb") as file:
        if status.st_size > most:
            raise TooLarge(f"{path!r} has {status.st_size} bytes; at most {most} can be fetched at once")
        return file.read(most)


def read_piece(path: Path, offset: int, most: int) -> bytes:
    """At most `most` bytes of a file of ours from `offset` on; nothing where it does not exist yet."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(most)
    except FileNotFoundError:
        return b""


def write_file(root: Path, path: str, content: bytes, mode: int = FILE_MODE, owner: Owner | None = None) -> int:
    """Writes a file below `root`, creating folders; replaces what is there once it is whole, never through a link. By
    how many bytes there are more now. Raises ProviderError, and leaves what was there.
    """
    parts = parts_of(path)
    folder = open_folder(root, parts[:-1], create=True, owner=owner)
    partial = f".partial-{secrets.token_hex(8)}".encode()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(partial, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(target, "wb") as file:
                if owner is not None:
                    os.fchown(target, *owner)
                os.fchmod(target, mode & PERMISSIONS)
                file.write(content)
            before = _size(folder, parts[-1])
            os.rename(partial, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(partial, dir_fd=folder)
            raise
    except OSError as error:
        raise ProviderError(f"cannot write {path!r}: {error.strerror}") from error
    finally:
        os.close(folder)
    return len(content) - before


def make_folder(root: Path, path: str, mode: int = FOLDER_MODE, owner: Owner | None = None) -> None:
    """Makes a folder below `root`, with those that lead to it; one that is there gets the permissions."""
    folder = open_folder(root, parts_of(path), create=True, owner=owner)
    try:
        os.fchmod(folder, mode & PERMISSIONS)
    except OSError as error:
        raise ProviderError(f"cannot make the folder {path!r}: {error.strerror}") from error
    finally:
        os.close(folder)


def make_link(root: Path, path: str, target: str, owner: Owner | None = None) -> None:
    """Makes a symbolic link below `root`, in place of what is there unless that is a folder. Nobody follows it."""
    parts, text = parts_of(path), as_bytes(target)
    if not text or b"\x00" in text or len(text) > MAX_PATH_BYTES:
        raise ProviderError(f"not the text of a link: {target[:200]!r}")
    folder = open_folder(root, parts[:-1], create=True, owner=owner)
    partial = f".partial-{secrets.token_hex(8)}".encode()
    try:
        os.symlink(text, partial, dir_fd=folder)
        try:
            if owner is not None:
                os.chown(partial, *owner, dir_fd=folder, follow_symlinks=False)
            os.rename(partial, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(partial, dir_fd=folder)
            raise
    except OSError as error:
        raise ProviderError(f"cannot make the link {path!r}: {error.strerror}") from error
    finally:
        os.close(folder)


def page(root: Path, after: str | None = None, most: int = MAX_PAGE) -> FilePage:
    """At most `most` entries below `root`, from behind the `next` of an earlier page on. Links are told, not followed;
    sockets, devices and what no path can name are left out.
    """
    files: list[FileEntry] = []
    folders: list[FolderEntry] = []
    links: list[LinkEntry] = []
    came_to = b""
    behind = () if after is None else parts_of(as_text(unquote_to_bytes(after)))
    try:
        handle = os.open(root, FOLDER)
    except OSError:
        return FilePage()
    try:
        for found in folder_walk.walk(handle, behind, MAX_PATH_BYTES):
            path, mode = found.path(), stat.S_IMODE(found.status.st_mode) & PERMISSIONS
            if len(path) > MAX_PATH_BYTES:
                continue
            if len(files) + len(folders) + len(links) >= most:
                return FilePage(tuple(files), tuple(folders), tuple(links), quote(came_to))
            kind = stat.S_IFMT(found.status.st_mode)
            if kind == stat.S_IFREG:
                files.append(FileEntry(as_text(path), found.status.st_size, mode))
            elif kind == stat.S_IFDIR:
                folders.append(FolderEntry(as_text(path), mode))
            elif kind == stat.S_IFLNK:
                with contextlib.suppress(OSError):
                    links.append(LinkEntry(as_text(path), as_text(os.readlink(found.name, dir_fd=found.folder))))
            came_to = path
    finally:
        os.close(handle)
    return FilePage(tuple(files), tuple(folders), tuple(links))


def count(root: Path) -> tuple[int, int]:
    """How many regular files are below `root`, and the sum of their sizes."""
    return folder_walk.count(root)


def total_bytes(root: Path) -> int:
    """Sum of the sizes of the regular files below `root`."""
    return count(root)[1]


def give(root: Path, owner: Owner) -> None:
    """Makes the workspace itself its owner's. What is in it gets its owner when it is made."""
    handle = os.open(root, FOLDER)
    try:
        status = os.fstat(handle)
        if (status.st_uid, status.st_gid) != owner:
            os.fchown(handle, *owner)
    finally:
        os.close(handle)


def wipe(root: Path) -> int:
    """Removes everything below `root` and `root` itself; how many entries are left (0). Raises nothing."""
    return folder_walk.remove(root)


def open_folder(root: Path, parts: tuple[bytes, ...], create: bool = False, owner: Owner | None = None) -> int:
    """A descriptor of the folder, reached without following any link. The caller closes it."""
    try:
        if create:
            root.mkdir(parents=True, exist_ok=True)
        current = os.open(root, FOLDER)
        for part in parts:
            try:
                current, above = _enter(current, part, create, owner), current
            except OSError:
                os.close(current)
                raise
            os.close(above)
    except OSError as error:
        path = as_text(b"/".join(parts))
        if create:
            raise ProviderError(f"cannot make the folder {path!r}: {error.strerror}") from error
        raise NotFound(f"no such folder: {path!r}") from error
    return current


def _enter(above: int, name: bytes, create: bool, owner: Owner | None) -> int:
    made = False
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=above)
            made = True
    folder = os.open(name, FOLDER, dir_fd=above)
    # By its descriptor: what has the name now may have been put there by a workload.
    if made and owner is not None and os.fstat(folder).st_uid == os.geteuid():
        os.fchown(folder, *owner)
    return folder


def _size(folder: int, name: bytes) -> int:
    """The size of a regular file, 0 for anything else."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
