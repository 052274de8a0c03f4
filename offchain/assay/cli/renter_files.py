"""`assay cp`, and files that go to a job and come back from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.output import note
from assay.cli.renter_options import Connection, renter_command
from assay.renter.errors import BadInput

if TYPE_CHECKING:
    from assay.renter.provider_session import ProviderSession

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
MOST_FILE = 64 << 20  # what a provider takes at once
MOST_FILES = 10_000
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
            await _fetch(session, there[2], Path(target), recursive)
        else:
            await _put(session, Path(source), there[2], recursive)


async def upload_all(session: ProviderSession, pairs: Iterable[str]) -> None:
    """Puts each LOCAL[:REMOTE] into the workspace, folders with all that is in them. Raises BadInput."""
    for pair in pairs:
        local, _, remote = pair.partition(":")
        await _put(session, Path(local), remote, recursive=True)


async def download_all(session: ProviderSession, pairs: Iterable[str]) -> None:
    """Fetches each REMOTE[:LOCAL]. Raises BadInput, ProviderRefused."""
    for pair in pairs:
        remote, _, local = pair.partition(":")
        await _fetch(session, remote, Path(local or PurePosixPath(remote).name), recursive=True)


def uploads(source: Path, target: str, recursive: bool) -> Iterator[tuple[Path, str]]:
    """(local file, path on the lease) of what is put. Raises BadInput."""
    if ".." in PurePosixPath(target).parts or target.startswith("/"):
        raise BadInput(f"{target!r}: paths on a lease begin in its workspace and stay there, such as data/in.bin")
    name = target + source.name if not target or target.endswith("/") else target
    if source.is_dir():
        if not recursive:
            raise BadInput(f"{source}: is a folder; copy it with -r")
        files = sorted(path for path in source.rglob("*") if path.is_file())
        if len(files) > MOST_FILES:
            raise BadInput(f"{source}: {len(files)} files, at most {MOST_FILES} are copied at once; pack them first")
        yield from ((path, f"{name}/{path.relative_to(source).as_posix()}") for path in files)
    else:
        yield source, name


def downloads(present: Iterable[str], source: str, target: Path, recursive: bool) -> Iterator[tuple[str, Path]]:
    """(path on the lease, local file) of what is fetched. Raises BadInput, also for a name that leads elsewhere."""
    present = list(present)
    wanted = source.strip("/")
    if wanted in present:
        yield wanted, target / PurePosixPath(wanted).name if target.is_dir() else target
        return
    below = [path for path in present if path.startswith(f"{wanted}/") or not wanted]
    if not below:
        raise BadInput(f"{source!r}: there is no such file on the lease; there are {', '.join(present[:20]) or 'none'}")
    if not recursive:
        raise BadInput(f"{source!r}: is a folder; copy it with -r")
    for path in below:
        relative = PurePosixPath(path[len(wanted) :].lstrip("/"))
        if ".." in relative.parts or relative.is_absolute():
            raise BadInput(f"{path!r}: the provider names a file outside of the folder")
        yield path, target / relative


async def _put(session: ProviderSession, source: Path, target: str, recursive: bool) -> None:
    for local, remote in uploads(source, target, recursive):
        try:
            size = local.stat().st_size
            if size > MOST_FILE:
                raise BadInput(f"{local}: {size} bytes, a provider takes at most {MOST_FILE} in one file; split it")
            content = local.read_bytes()
        except OSError as error:
            raise BadInput(f"{local}: {error.strerror}") from None
        await session.put(remote, content)
        note(f"{local} -> {remote}, {size} bytes")


async def _fetch(session: ProviderSession, source: str, target: Path, recursive: bool) -> None:
    present = [str(entry.get("path")) for entry in await session.files()]
    for remote, local in downloads(present, source, target, recursive):
        content = await session.fetch(remote)
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_bytes(content)
        except OSError as error:
            raise BadInput(f"{local}: {error.strerror}") from None
        note(f"{remote} -> {local}, {len(content)} bytes")
