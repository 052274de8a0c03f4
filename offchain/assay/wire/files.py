"""Files as they travel to and from a lease: one by one in pieces, or many small ones in a bundle.

A bundle is a sequence of entries, each a line of JSON in ASCII, and behind that of a file its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from assay.wire.limits import MAX_FILE_PATH_TEXT

Kind = Literal["file", "folder", "link", "large"]
KINDS = ("file", "folder", "link", "large")
PERMISSIONS = 0o777
MAX_LINE = 64 << 10


class BundleError(ValueError):
    """A bundle that breaks its form."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bundle. Names are UTF-8, other bytes in them as `surrogateescape` makes them. `target` is a link's
    text; of what is `large` no bytes follow."""

    kind: Kind
    path: str
    mode: int = 0o644
    size: int = 0
    target: str = ""

    def line(self) -> bytes:
        """What stands ahead of its bytes."""
        values = {"kind": self.kind, "path": self.path, "mode": self.mode, "size": self.size, "target": self.target}
        return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


def parse_line(line: bytes) -> Entry:
    """Raises BundleError."""
    try:
        value: Any = json.loads(line)
        kind, path, target = value["kind"], value["path"], value["target"]
        mode, size = value["mode"], value["size"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"an entry of a bundle is malformed: {error!r}"[:200]) from None
    if kind not in KINDS or not isinstance(path, str) or not isinstance(target, str):
        raise BundleError("an entry of a bundle has no kind, path or target")
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 1 << 62 for one in (mode, size)):
        raise BundleError("an entry of a bundle has no mode or size")
    if len(path) > MAX_FILE_PATH_TEXT or len(target) > MAX_FILE_PATH_TEXT or not path:
        raise BundleError("a path in a bundle is empty or too long")
    return Entry(kind, path, mode & PERMISSIONS, size, target)


class BundleReader:
    """Takes a bundle apart as it comes: feed it pieces, and it gives what is whole. Files of more than `most` bytes are
    refused, so that no more than that is held."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()
        self._entry: Entry | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing of an entry is still to come."""
        return self._entry is None and not self._held

    def feed(self, piece: bytes) -> Iterator[tuple[Entry, bytes]]:
        """Every entry that is whole now, with its bytes. Raises BundleError."""
        self._held += piece
        at = 0
        try:
            while True:
                if self._entry is None:
                    end = self._held.find(b"\n", at)
                    if end < 0:
                        if len(self._held) - at > MAX_LINE:
                            raise BundleError("a line in a bundle is too long")
                        return
                    self._entry, at = parse_line(bytes(self._held[at:end])), end + 1
                entry = self._entry
                size = entry.size if entry.kind == "file" else 0
                if size > self._most:
                    raise BundleError(f"a file of {size} bytes in a bundle, at most {self._most} are taken")
                if len(self._held) - at < size:
                    return
                content = bytes(self._held[at : at + size])
                at, self._entry = at + size, None
                yield entry, content
        finally:
            del self._held[:at]
