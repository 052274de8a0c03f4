"""Files of a lease: listed, fetched and put, one by one, in pieces, and many small ones at once."""

from __future__ import annotations

import asyncio
import os
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import PathConvertor, register_url_convertor

from assay.provider.api.json_bodies import AsciiResponse
from assay.provider.api.renter_check import authorised_lease, raw_path, require_running
from assay.provider.api.services import Services
from assay.provider.errors import NotFound, ProviderError, TooLarge, Unavailable
from assay.provider.workloads import folder_walk, pieces, workspace
from assay.wire import paths
from assay.wire.files import BundleError, BundleReader, Entry
from assay.wire.limits import MAX_BUNDLE_ENTRIES, MAX_PIECE_BYTES, SMALL_FILE_BYTES

PIECE = 1 << 20
MAX_STREAMS = 8  # of a lease at once
MAX_SIZE = 1 << 50


class NameConvertor(PathConvertor):
    """The path of a file with any name, a newline in it too, which no route takes else."""

    regex = r"[\s\S]*"


register_url_convertor("name", NameConvertor())


class AnswerSlots:
    """Long answers of each lease, and walks through whole files: one client does not take all threads."""

    def __init__(self) -> None:
        self._open = Counter[int]()

    def require(self, lease_id: int) -> None:
        """Raises Unavailable where there is no room for one more."""
        if self._open[lease_id] >= MAX_STREAMS:
            raise Unavailable(f"at most {MAX_STREAMS} transfers of this lease run at once: try again in a moment")

    @contextmanager
    def one(self, lease_id: int) -> Iterator[None]:
        """Counts one."""
        self._open[lease_id] += 1
        try:
            yield
        finally:
            self._open[lease_id] -= 1
            if not self._open[lease_id]:
                del self._open[lease_id]


def file_routes(services: Services) -> APIRouter:
    """Routes under /v1/leases/{leaseId} for the lease's renter."""
    router, streams, jobs = APIRouter(prefix=paths.LEASE), AnswerSlots(), services.jobs

    @router.get(paths.FILES)
    async def files(lease_id: int, request: Request, after: str | None = None) -> Response:
        """What is in the lease's workspace: files, folders and links, at most 10,000 of them together. `next` is the
        `after` that asks for those behind them, null at the end.
        """
        await authorised_lease(services, lease_id, request)
        root = jobs.workspace(lease_id)
        return AsciiResponse(asdict(await asyncio.to_thread(workspace.page, root, after)))

    @router.get(paths.BUNDLE)
    async def bundle(
        lease_id: int, request: Request, under: str | None = None, after: str | None = None
    ) -> StreamingResponse:
        """Everything below a folder, and the bytes of what is small, in the order of the listing; from behind a path on
        where one is given. Both are quoted once more than the address is."""
        await authorised_lease(services, lease_id, request)
        root = jobs.workspace(lease_id)
        below = () if not under else workspace.parts_of(_unquoted(under))
        behind = () if not after else workspace.parts_of(_unquoted(after))
        streams.require(lease_id)
        top = await asyncio.to_thread(_opened_folder, root, below)

        async def entries() -> AsyncIterator[bytes]:
            with streams.one(lease_id):
                found = _entries(top, behind)
                while piece := await asyncio.to_thread(_some, found):
                    yield piece

        return StreamingResponse(entries(), media_type=paths.BYTES)

    @router.put(paths.BUNDLE)
    async def put_bundle(lease_id: int, request: Request) -> dict[str, int]:
        """Writes many small files, links and folders."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        entries = _taken_apart(await request.body())
        return {"entries": await asyncio.to_thread(jobs.put_bundle, lease_id, float(lease.stop), entries)}

    @router.get(f"{paths.FILES}/{{path:name}}")
    async def fetch(
        lease_id: int,
        path: str,
        request: Request,
        offset: Annotated[int, Query(ge=0, le=MAX_SIZE)] = 0,
        beginning: Annotated[int | None, Query(ge=0, le=MAX_SIZE)] = None,
        arrived: Annotated[int | None, Query(ge=0, le=MAX_SIZE)] = None,
    ) -> Response:
        """One file, from `offset` on. With `beginning`: the SHA-256 of so many first bytes of it, its size and mode.
        With `arrived`: how much has come of one of so many bytes that is being put, and its SHA-256."""
        await authorised_lease(services, lease_id, request)
        root, name = jobs.workspace(lease_id), _name(request)
        if beginning is not None or arrived is not None:
            streams.require(lease_id)
            with streams.one(lease_id):
                look, most = (pieces.arrived, arrived) if beginning is None else (pieces.beginning, beginning)
                return AsciiResponse(asdict(await asyncio.to_thread(look, root, name, most or 0)))
        return await _streamed(streams, lease_id, root, name, offset)

    @router.put(f"{paths.FILES}/{{path:name}}")
    async def put(
        lease_id: int,
        path: str,
        request: Request,
        kind: Literal["file", "folder", "link", "piece"] = "file",
        mode: Annotated[str | None, Query(pattern="^[0-7]{1,4}$")] = None,
        offset: Annotated[int, Query(ge=0, le=MAX_SIZE)] = 0,
        total: Annotated[int, Query(ge=0, le=MAX_SIZE)] = 0,
    ) -> dict[str, Any]:
        """Writes one file, a piece of one at `offset` of `total` bytes, makes a folder, or a link of which the body is
        the text. `mode` is octal."""
        lease, _ = await authorised_lease(services, lease_id, request)
        require_running(services, lease)
        content, name, until = await request.body(), _name(request), float(lease.stop)
        permissions = None if mode is None else int(mode, 8)
        file_mode = workspace.FILE_MODE if permissions is None else permissions
        if kind == "link":
            await asyncio.to_thread(jobs.put_link, lease_id, until, name, workspace.as_text(content))
        elif kind == "folder":
            folder_mode = workspace.FOLDER_MODE if permissions is None else permissions
            await asyncio.to_thread(jobs.put_folder, lease_id, until, name, folder_mode)
        elif kind == "piece":
            if len(content) > MAX_PIECE_BYTES:
                raise TooLarge(f"a piece of {len(content)} bytes, at most {MAX_PIECE_BYTES} are taken")
            whole = await asyncio.to_thread(jobs.put_piece, lease_id, until, name, content, offset, total, file_mode)
            return {"size": len(content), "whole": whole}
        else:
            await asyncio.to_thread(jobs.put_file, lease_id, until, name, content, file_mode)
        return {"size": len(content)}

    return router


async def _streamed(streams: AnswerSlots, lease_id: int, root: Path, name: str, offset: int) -> StreamingResponse:
    streams.require(lease_id)
    # An object, not a descriptor: what is never read from is closed when it is forgotten.
    file = await asyncio.to_thread(pieces.open_file, root, name)
    size = os.fstat(file.fileno()).st_size

    async def content() -> AsyncIterator[bytes]:
        at = offset
        with file, streams.one(lease_id):
            while at < size and (piece := await asyncio.to_thread(os.pread, file.fileno(), min(PIECE, size - at), at)):
                at += len(piece)
                yield piece

    # No length is promised: the file may shrink meanwhile, and whoever asks knows what it was.
    return StreamingResponse(content(), media_type=paths.BYTES)


def _name(request: Request) -> str:
    """The file that a request is about, by the bytes of its path."""
    return workspace.as_text(unquote_to_bytes(raw_path(request)).split(b"/", 5)[5])


def _unquoted(text: str) -> str:
    return workspace.as_text(unquote_to_bytes(text))


def _taken_apart(body: bytes) -> list[tuple[Entry, bytes]]:
    reader = BundleReader(SMALL_FILE_BYTES)
    try:
        entries = list(reader.feed(body))
    except BundleError as error:
        raise ProviderError(str(error)) from None
    if not reader.is_whole or any(entry.kind == "large" for entry, _ in entries):
        raise ProviderError("the bundle is not whole")
    if len(entries) > MAX_BUNDLE_ENTRIES:
        raise TooLarge(f"a bundle of {len(entries)} entries, at most {MAX_BUNDLE_ENTRIES} are taken")
    return entries


def _some(found: Iterator[bytes]) -> bytes:
    """About a piece's worth of what comes, nothing at the end."""
    held = bytearray()
    while len(held) < PIECE and (one := next(found, None)) is not None:
        held += one
    return bytes(held)


def _opened_folder(root: Path, below: tuple[bytes, ...]) -> FolderHandle | None:
    """The folder; None where nothing was put yet. Raises NotFound."""
    try:
        return FolderHandle(workspace.open_folder(root, below))
    except NotFound:
        if below:
            raise
        return None


class FolderHandle:
    """A descriptor that is closed when it is forgotten, for an answer may never be read from."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


def _entries(top: FolderHandle | None, behind: tuple[bytes, ...]) -> Iterator[bytes]:
    """Every entry below a folder as a bundle has it."""
    if top is None:
        return
    for one in folder_walk.walk(top.number, behind, workspace.MAX_PATH_BYTES):
        path, mode = workspace.as_text(one.path()), stat.S_IMODE(one.status.st_mode) & workspace.PERMISSIONS
        kind = stat.S_IFMT(one.status.st_mode)
        try:
            if kind == stat.S_IFDIR:
                yield Entry("folder", path, mode).line()
            elif kind == stat.S_IFLNK:
                text = workspace.as_text(os.readlink(one.name, dir_fd=one.folder))
                yield Entry("link", path, target=text).line()
            elif kind == stat.S_IFREG:
                yield _file(one, path, mode)
        except OSError:
            continue  # gone meanwhile, or something else by now


def _file(one: folder_walk.WalkedEntry, path: str, mode: int) -> bytes:
    if one.status.st_size > SMALL_FILE_BYTES:
        return Entry("large", path, mode, one.status.st_size).line()
    handle = os.open(one.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=one.folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("no file any more")
        content = os.read(handle, SMALL_FILE_BYTES)
    finally:
        os.close(handle)
    return Entry("file", path, mode, len(content)).line() + content
