"""`assay cp`, and files that go to a job and come back from it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import typer

from assay.cli.output import escaped, note
from assay.cli.renter.local_files import (
    PERMISSIONS,
    LocalEntry,
    entries_below,
    growing_file,
    local_text,
    named_sink,
    parts_below,
    remote_text,
    save_file,
    save_folder,
    save_link,
)
from assay.cli.renter.options import Connection, renter_command
from assay.renter.errors import BadInput
from assay.renter.session.file_transfer import Transfer
from assay.wire.files import Entry
from assay.wire.limits import SMALL_FILE_BYTES

if TYPE_CHECKING:
    from assay.renter.session.provider_session import Contents, ProviderSession

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
MANY = 4  # files that are fetched in one stream
_ON_LEASE = re.compile(r"([1-9][0-9]{0,17}):(.*)", re.DOTALL)


@renter_command(commands, "cp")
async def cp(
    source: Annotated[str, typer.Argument(help="a local path, or LEASE:PATH")],
    target: Annotated[str, typer.Argument(help="a local path, or LEASE:PATH")],
    connection: Connection,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="copy folders recursively")] = False,
) -> None:
    """Copy files to or from a lease, as scp does: `assay cp train.py 7:`, `assay cp 7:model.bin .`"""
    fetching, putting = _ON_LEASE.fullmatch(source), _ON_LEASE.fullmatch(target)
    there = fetching or putting
    if there is None or (fetching and putting):
        raise BadInput(
            f"cp {source!r} {target!r}: exactly one side is on a lease, written LEASE:PATH such as 7:out.bin"
        )
    async with connection.renter() as renter:
        session = await renter.session(int(there[1]))
        if fetching:
            await _fetch(session, await session.contents(), there[2], Path(target), recursive)
        else:
            await _put(session, Path(source), there[2], recursive)


async def upload_all(session: ProviderSession, pairs: Iterable[str]) -> None:
    """Puts each LOCAL[:REMOTE] into the workspace, folders with all that is in them. Raises BadInput."""
    for pair in pairs:
        local, remote = local_and_remote(pair)
        await _put(session, local, remote, recursive=True)


async def download_all(session: ProviderSession, pairs: Iterable[str]) -> None:
    """Fetches each REMOTE[:LOCAL]. Raises BadInput, ProviderRefused."""
    for pair in pairs:
        contents = await session.contents()
        remote, _, local = (pair, "", "") if is_there(contents, pair) else pair.partition(":")
        target = Path(local or local_text(PurePosixPath(remote).name))
        await _fetch(session, contents, remote, target, recursive=True)


def local_and_remote(pair: str) -> tuple[Path, str]:
    """LOCAL and REMOTE of LOCAL[:REMOTE]: a name with a colon in it that is there is meant as it is."""
    whole = Path(pair)
    if os.path.lexists(whole):
        return whole, ""
    colons = [n for n, sign in enumerate(pair) if sign == ":"]
    for n in reversed(colons):
        if os.path.lexists(pair[:n]):
            return Path(pair[:n]), remote_text(pair[n + 1 :])
    local, _, remote = pair.partition(":")
    return Path(local), remote_text(remote)


def is_there(contents: Contents, path: str) -> bool:
    """Whether the lease has something of this very path."""
    wanted = remote_text(path).strip("/")
    return any(entry.get("path") == wanted for entry in (*contents.files, *contents.folders, *contents.links))


def uploads(source: Path, target: str, recursive: bool) -> Iterator[LocalEntry]:
    """What is put: files, and of folders everything that is in them. Raises BadInput."""
    target = remote_text(target)
    if ".." in PurePosixPath(target).parts or target.startswith("/"):
        raise BadInput(f"{target!r}: paths on a lease are relative to its workspace, such as data/in.bin")
    own = remote_text(source.absolute().name if source.name != ".." else source.resolve().name) if source.name else ""
    name = target + own if not target or target.endswith("/") else target
    if not source.is_dir():
        yield LocalEntry("file", source, name)
        return
    if not recursive:
        raise BadInput(f"{source} is a folder: copy it with -r")
    yield from entries_below(source, name.strip("/"))
    if name.strip("/"):
        yield LocalEntry("folder", source, name.strip("/"), source.stat().st_mode & PERMISSIONS)


def downloads(contents: Contents, source: str, target: Path, recursive: bool) -> Iterator[Download]:
    """What is fetched, in the order in which it is to be. Raises BadInput, also for a name that leads elsewhere."""
    wanted = remote_text(source).strip("/")
    everything = [
        *(Download("file", _text(one, "path"), (), _mode(one, 0o644), size=_length(one)) for one in contents.files),
        *(Download("link", _text(one, "path"), (), target=_text(one, "target")) for one in contents.links),
        *(Download("folder", _text(one, "path"), (), _mode(one, 0o755)) for one in reversed(contents.folders)),
    ]
    own = [one for one in everything if one.remote == wanted]
    if own and own[0].kind != "folder":
        name = parts_below(PurePosixPath(wanted).name)
        root, parts = (target, name) if target.is_dir() else (target.parent, (target.name,))
        yield replace(own[0], root=root, parts=parts)
        return
    below = [one for one in everything if one.remote.startswith(f"{wanted}/") or not wanted]
    if not below and not own and wanted:
        present = ", ".join(one.remote for one in everything[:20])
        raise BadInput(f"{source!r}: no such file on the lease, which has {present or 'none'}")
    if not recursive:
        raise BadInput(f"{source!r}: is a folder; copy it with -r")
    for one in below:
        relative = one.remote[len(wanted) :].removeprefix("/") if wanted else one.remote
        yield replace(one, root=target, parts=parts_below(relative))
    yield Download("folder", wanted, (), own[0].mode if own else None, root=target)


@dataclass(frozen=True)
class Download:
    """What is fetched: its path on the lease, and the names below the folder `root` of this machine that it gets."""

    kind: Literal["file", "folder", "link"]
    remote: str
    parts: tuple[str, ...]
    mode: int | None = None
    target: str = ""
    root: Path = Path()
    size: int = 0

    def mode_or(self, otherwise: int) -> int:
        """The permissions that were told."""
        return otherwise if self.mode is None else self.mode


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise BadInput(f"the provider lists a file without a {name}")
    return value


def _length(entry: Mapping[str, Any]) -> int:
    value = entry.get("size")
    return value if isinstance(value, int) and 0 <= value < 1 << 62 else 0


def _mode(entry: Mapping[str, Any], otherwise: int) -> int:
    value = entry.get("mode")
    return value if isinstance(value, int) and 0 <= value <= PERMISSIONS else otherwise


async def _put(session: ProviderSession, source: Path, target: str, recursive: bool) -> None:
    found = list(uploads(source, target, recursive))
    total = sum(_size(one) for one in found if one.kind == "file")
    with moving(f"{source} -> {target or 'the workspace'}", total) as moved:
        await put_all(Transfer(session, moved, note), found)
    note(summary(source, found[0].remote if len(found) == 1 else target or ".", [one.kind for one in found], total))


async def put_all(transfer: Transfer, found: Sequence[LocalEntry]) -> None:
    """Puts what `uploads` has found. Raises BadInput."""
    large = [one for one in found if one.kind == "file" and _size(one) > SMALL_FILE_BYTES]
    for one in large:
        with _opened(one.local) as file:
            size = os.fstat(file.fileno()).st_size
            await transfer.put_file(one.remote, file, size, _mode_of(file))
    there = {id(one) for one in large}
    await transfer.put_many(_entry(one) for one in found if id(one) not in there)


def _size(one: LocalEntry) -> int:
    """Of what is no plain file, a pipe such as `<(…)`, nobody knows it before it is read."""
    try:
        return one.local.stat().st_size
    except OSError as error:
        raise BadInput(f"{one.local}: {error.strerror}") from None


def _entry(one: LocalEntry) -> tuple[Entry, bytes]:
    if one.kind == "link":
        return Entry("link", one.remote, target=one.target), b""
    if one.kind == "folder":
        return Entry("folder", one.remote, one.mode), b""
    with _opened(one.local) as file:
        content = file.read(SMALL_FILE_BYTES + 1)
        if len(content) > SMALL_FILE_BYTES:
            raise BadInput(f"{one.local}: grew while it was read, or is not a regular file; copy it to one first")
        return Entry("file", one.remote, _mode_of(file), len(content)), content


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


def _mode_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_mode & PERMISSIONS


async def _fetch(session: ProviderSession, contents: Contents, source: str, target: Path, recursive: bool) -> None:
    wanted = list(downloads(contents, source, target, recursive))
    files = [one for one in wanted if one.kind == "file"]
    total = sum(one.size for one in files)
    with moving(f"{source} -> {target}", total) as moved:
        transfer = Transfer(session, moved, note)
        missing = {one.remote: one for one in files}
        if len(files) >= MANY:
            under = remote_text(source).strip("/")
            async for entry, content in transfer.small_files(under):
                one = missing.get(f"{under}/{entry.path}" if under else entry.path)
                if one is not None and entry.kind == "file":
                    del missing[one.remote]
                    save_file(one.root, one.parts, content, one.mode_or(0o644))
        for one in missing.values():
            await _fetch_one(transfer, one, target)
        for one in wanted:
            if one.kind == "folder":
                save_folder(one.root, one.parts, one.mode)
            elif one.kind == "link":
                save_link(one.root, one.parts, one.target)
    note(summary(source, target, [one.kind for one in wanted], total))


async def _fetch_one(transfer: Transfer, one: Download, target: Path) -> None:
    if one.root.joinpath(*one.parts) == target:
        with named_sink(target) as named:
            if named is not None:
                await transfer.fetch_file(one.remote, named, resumable=False)
                return
    with growing_file(one.root, one.parts) as file:
        await transfer.fetch_file(one.remote, file)
        os.fchmod(file.fileno(), one.mode_or(0o644))


def summary(source: object, target: object, kinds: list[str], total: int) -> str:
    """What was copied, in a line."""
    what = "a link" if kinds == ["link"] else f"{total} bytes"
    files = sum(1 for kind in kinds if kind != "folder")
    more = f"{files} files, " if kinds not in (["file"], ["link"]) else ""
    return f"{source} -> {target}, {more}{what}"


@contextmanager
def moving(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows how much has moved, on a terminal and where it takes a while."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task(escaped(what).replace("[", "\\["), total=total or None)
        yield lambda count: bar.advance(task, count)
