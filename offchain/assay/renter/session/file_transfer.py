"""Files of any size to and from a lease: streamed, resumed after a break, many small ones at once.

What a provider sends is not trusted: it is written where the caller says, and no more of it than was asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import BinaryIO, TypeVar

from assay.renter.errors import BadInput, ProviderRefused, RenterError, Unreachable
from assay.renter.session.provider_session import FileBeginning, ProviderSession
from assay.wire.files import BundleError, BundleReader, Entry
from assay.wire.limits import MAX_BUNDLE_BYTES, MAX_BUNDLE_ENTRIES, MAX_PIECE_BYTES, SMALL_FILE_BYTES

PATIENCE_S = 120.0
RETRY_S, MAX_RETRY_S = 0.5, 5.0
FIRST_PIECE = 1 << 20
QUICK_S, SLOW_S = 3.0, 12.0  # of a piece: the next is longer, or shorter
MIN_PIECE = 64 << 10
BUNDLE_ROOM = MAX_BUNDLE_BYTES - 2 * SMALL_FILE_BYTES
READ = 1 << 20

T = TypeVar("T")


class Transfer:
    """Transfers of one session. `moved` is told of bytes as they arrive, `tell` of breaks; a provider that does not
    answer is asked again for `patience_s`."""

    def __init__(
        self,
        session: ProviderSession,
        moved: Callable[[int], None] = lambda _: None,
        tell: Callable[[str], None] = lambda _: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._session = session
        self._moved = moved
        self._tell = tell
        self._patience_s = patience_s

    async def put_file(self, remote: str, file: BinaryIO, size: int, mode: int) -> None:
        """Puts a file of `size` bytes, going on where an earlier try broke off if it began with the same bytes. Raises
        BadInput for one that gets shorter meanwhile."""
        at = await self._patiently(lambda: self._go_on_at(remote, file, size))
        self._moved(at)
        length = FIRST_PIECE
        while True:
            file.seek(at)
            content = file.read(min(length, size - at))
            if len(content) < min(length, size - at):
                raise BadInput(f"{remote!r}: the file got shorter while it was read")
            began, put = time.monotonic(), partial(self._session.put_piece, remote, content, at, size, mode)
            try:
                await self._patiently(put)
            except ProviderRefused as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                if not await self._has_come(remote, file, at + len(content), size):
                    raise
            at += len(content)
            self._moved(len(content))
            if at >= size:
                return
            length = next_length(length, time.monotonic() - began)

    async def _has_come(self, remote: str, file: BinaryIO, end: int, size: int) -> bool:
        """Whether a piece whose answer was lost has come all the same; with the last one the file is in its place."""
        if end < size:
            return (await self._patiently(lambda: self._session.arrived(remote, size))).offset == end
        try:
            whole = await self._patiently(lambda: self._session.beginning(remote, size))
        except ProviderRefused:
            return False
        return (whole.offset, whole.size) == (size, size) and _hash_of(file, size) == whole.sha256

    async def _go_on_at(self, remote: str, file: BinaryIO, size: int) -> int:
        known = await self._session.arrived(remote, size)
        return known.offset if 0 < known.offset < size and _hash_of(file, known.offset) == known.sha256 else 0

    async def put_many(self, entries: Iterable[tuple[Entry, bytes]]) -> None:
        """Puts small files, links and folders, in their order."""
        held, count = bytearray(), 0
        for entry, content in entries:
            held += entry.line()
            held += content
            count += 1
            if len(held) >= BUNDLE_ROOM or count >= MAX_BUNDLE_ENTRIES:
                await self._put_bundle(bytes(held))
                held, count = bytearray(), 0
        if count:
            await self._put_bundle(bytes(held))

    async def _put_bundle(self, content: bytes) -> None:
        await self._patiently(lambda: self._session.put_bundle(content))
        self._moved(len(content))

    async def fetch_file(self, remote: str, sink: BinaryIO, resumable: bool = True) -> FileBeginning:
        """Fetches a file into `sink`, going on behind what is in it if the file begins with that. How it is there."""
        at = sink.seek(0, 2) if resumable else 0
        known = await self._patiently(lambda: self._session.beginning(remote, at))
        if at and (known.offset != at or _hash_of(sink, at) != known.sha256):
            at = 0
        if resumable:
            sink.seek(at)
            sink.truncate()
        self._moved(at)
        while at < known.size:
            before = at
            try:
                async for piece in self._session.pieces_from(remote, at):
                    kept = piece[: known.size - at]
                    sink.write(kept)
                    at += len(kept)
                    self._moved(len(kept))
            except (Unreachable, ProviderRefused) as error:
                if not _may_pass(error):
                    raise
            if at < known.size:
                self._tell(f"{remote}: broke off after {at} of {known.size} bytes; going on")
                # As long as something comes each time there is no end to patience.
                await self._still_there(remote, known, at > before)
        return known

    async def _still_there(self, remote: str, known: FileBeginning, moves: bool) -> None:
        if not moves:
            await asyncio.sleep(RETRY_S)
        again = await self._patiently(lambda: self._session.beginning(remote, 0))
        if again.size < known.size:
            raise BadInput(f"{remote!r}: the file got shorter while it was fetched; copy it again")

    async def small_files(self, under: str) -> AsyncIterator[tuple[Entry, bytes]]:
        """Everything below a folder, in one stream; it is asked for again from behind what has come if that breaks off.
        Of large files only that they are there."""
        after: str | None = None
        silent_since: float | None = None
        while True:
            reader, came = BundleReader(SMALL_FILE_BYTES), False
            try:
                async for piece in self._session.bundle(under, after):
                    for entry, content in reader.feed(piece):
                        after, came, silent_since = entry.path, True, None
                        self._moved(len(content))
                        yield entry, content
                if reader.is_whole and not came:
                    return
            except BundleError as error:
                raise Unreachable(f"{self._session.endpoint}: {error}") from None
            except (Unreachable, ProviderRefused) as error:
                if not _may_pass(error):
                    raise
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since > self._patience_s:
                    raise
                self._tell(f"the provider does not answer, asking again: {error}")
                await asyncio.sleep(RETRY_S)

    async def _patiently(self, do: Callable[[], Awaitable[T]]) -> T:
        since, wait = time.monotonic(), RETRY_S
        while True:
            try:
                return await do()
            except (Unreachable, ProviderRefused) as error:
                if not _may_pass(error) or time.monotonic() - since > self._patience_s:
                    raise
                self._tell(f"the provider does not answer, asking again: {error}")
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_RETRY_S)


def _may_pass(error: RenterError) -> bool:
    return not isinstance(error, ProviderRefused) or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def next_length(length: int, took_s: float) -> int:
    """How long the next piece is: as much as a connection carries in a few seconds, since less is lost if it breaks."""
    if took_s < QUICK_S:
        return min(2 * length, MAX_PIECE_BYTES)
    return max(length // 2, MIN_PIECE) if took_s > SLOW_S else length


def _hash_of(file: BinaryIO, count: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while count and (piece := file.read(min(READ, count))):
        digest.update(piece)
        count -= len(piece)
    return digest.hexdigest()
