"""Logs that were read before, on disk: a command then asks only for what is new. Nothing is lost with it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assay.chain.logs import Log, LogQuery
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.protocol.keccak import keccak

MOST_BYTES = 32 << 20  # of one file: what would be larger is asked for again each time
_FORM = 1


@dataclass(frozen=True, slots=True)
class KeptLogs:
    """All logs of a query from block `first` to `until`, oldest first, as the chain with the block `seen` has them."""

    first: int
    until: int
    seen: int
    seen_hash: bytes
    logs: list[Log]


class LogCache:
    """One file for each question, in a folder of one chain. A file that is damaged, or whose block the chain no
    longer has, counts for nothing."""

    def __init__(self, folder: Path, chain_id: int) -> None:
        self._folder = folder / "logs" / str(chain_id)

    def read(self, query: LogQuery) -> KeptLogs | None:
        """What is kept of a question."""
        path = self._path(query)
        try:
            if path.stat().st_size > MOST_BYTES:
                return None
            data = json.loads(path.read_text("utf-8"))
            if data["form"] != _FORM:
                return None
            logs = [Log.from_json(one) for one in data["logs"]]
            kept = KeptLogs(
                int(data["first"]),
                int(data["until"]),
                int(data["seen"]),
                parse_bytes32(data["seenHash"], "block"),
                logs,
            )
        except (OSError, ValueError, TypeError, LookupError):
            return None
        fits = all(query.matches(log) and kept.first <= log.block_number <= kept.until for log in logs)
        return kept if fits else None

    def write(self, query: LogQuery, kept: KeptLogs) -> None:
        """Keeps it, in whole or not at all; a disk that is full or not writable only costs the next reader time."""
        data = {
            "form": _FORM, "first": kept.first, "until": kept.until, "seen": kept.seen,
            "seenHash": to_hex(kept.seen_hash), "logs": [log.to_json() for log in kept.logs],
        }  # fmt: skip
        text = json.dumps(data, separators=(",", ":")).encode()
        path = self._path(query)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        if len(text) > MOST_BYTES:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forgets everything: some node had not told all."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink(missing_ok=True)

    def _path(self, query: LogQuery) -> Path:
        topics = [None if wanted is None else sorted(to_hex(topic) for topic in wanted) for wanted in query.topics]
        name = keccak(json.dumps([query.address.lower(), topics]).encode()).hex()[:32]
        return self._folder / f"{name}.json"
