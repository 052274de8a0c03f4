"""`assay cp`, and files that go to a job and come back from it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assay.cli.output import note
from assay.cli.renter.local_files import (
    PERMISSIONS,
    LocalEntry,
    entries_below,
    local_text,
    parts_below,
    remote_text,
    save_file,
    save_folder,
    save_link,
    save_named,
)
from assay.cli.renter.options import Connection, renter_command
from assay.renter.errors import BadInput

if TYPE_CHECKING:
    from assay.renter.session.provider_session import Contents, ProviderSession

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
MAX_FILE = 64 << 20  # what a provider takes at once
_ON_LEASE = re.compile(r"([1-9][0-9]{0,17}):(.*)", re.DOTALL)


@renter_command(commands, "cp")
async def cp(
    source: Annotated[str, typer.Argument(help="a local path, or LEASE:PATH")],
    target: Annotated[str, typer.Argument(help="a local path, or LEASE:PATH")],
    connection: Connection,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="folders with all that is in them")] = False,
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
        raise BadInput(f"{target!r}: paths on a lease begin in its workspace and stay there, such as data/in.bin")
    own = remote_text(source.absolute().name if source.name != ".." else source.resolve().name) if source.name else ""
    name = target + own if not target or target.endswith("/") else target
    if not source.is_dir():
        yield LocalEntry("file", source, name)
        return
    if not recursive:
        raise BadInput(f"{source}: is a folder; copy it with -r")
    yield from entries_below(source, name.strip("/"))
    if name.strip("/"):
        yield LocalEntry("folder", source, name.strip("/"), source.stat().st_mode & PERMISSIONS)


def downloads(contents: Contents, source: str, target: Path, recursive: bool) -> Iterator[Download]:
    """What is fetched, in the order in which it is to be. Raises BadInput, also for a name that leads elsewhere."""
    wanted = remote_text(source).strip("/")
    everything = [
        *(Download("file", _text(one, "path"), (), _mode(one, 0o644)) for one in contents.files),
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
        raise BadInput(f"{source!r}: there is no such file on the lease; there are {present or 'none'}")
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


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise BadInput(f"the provider lists a file without a {name}")
    return value


def _mode(entry: Mapping[str, Any], otherwise: int) -> int:
    value = entry.get("mode")
    return value if isinstance(value, int) and 0 <= value <= PERMISSIONS else otherwise


async def _put(session: ProviderSession, source: Path, target: str, recursive: bool) -> None:
    for one in uploads(source, target, recursive):
        if one.kind == "link":
            await session.put_link(one.remote, one.target)
            note(f"{one.local} -> {one.remote}, a link")
        elif one.kind == "folder":
            await session.put_folder(one.remote, one.mode)
        else:
            content, mode = _read(one.local)
            await session.put(one.remote, content, mode)
            note(f"{one.local} -> {one.remote}, {len(content)} bytes")


def _read(path: Path) -> tuple[bytes, int]:
    try:
        status = path.stat()
        if status.st_size > MAX_FILE:
            most = f"a provider takes at most {MAX_FILE} in one file"
            raise BadInput(f"{path}: {status.st_size} bytes, {most}; split it")
        return path.read_bytes(), status.st_mode & PERMISSIONS
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


async def _fetch(session: ProviderSession, contents: Contents, source: str, target: Path, recursive: bool) -> None:
    for one in downloads(contents, source, target, recursive):
        if one.kind == "folder":
            save_folder(one.root, one.parts, one.mode)
            continue
        if one.kind == "link":
            save_link(one.root, one.parts, one.target)
            what = "a link"
        else:
            content = await session.fetch(one.remote)
            if one.root.joinpath(*one.parts) != target or not save_named(target, content):
                save_file(one.root, one.parts, content, 0o644 if one.mode is None else one.mode)
            what = f"{len(content)} bytes"
        note(f"{one.remote} -> {one.root.joinpath(*one.parts)}, {what}")
