"""Evidence on disk, by the hash of its bytes: what was shown to the contract, to be looked at by people afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from assay.watcher.errors import WatcherError
from assay.watcher.faults import ProvableFault


class EvidenceFolder:
    """Files named 0x… .json, each the H of its own bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, fault: ProvableFault, calldata: bytes) -> bytes:
        """Writes what a fault is proven with and gives its H. The same fault gives the same file."""
        shown = {
            "kind": fault.kind.name.lower(),
            "subject": to_hex(fault.subject),
            "epoch": fault.epoch,
            "words": fault.words,
            "account": fault.account,
            "function": fault.function,
            "calldata": to_hex(calldata),
        }
        body = json.dumps(shown, sort_keys=True, separators=(",", ":")).encode()
        digest = keccak(body)
        path = self._folder / f"{to_hex(digest)}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                unfinished = path.with_suffix(".part")
                unfinished.write_bytes(body)
                unfinished.replace(path)
        except OSError as error:
            raise WatcherError(f"{path}: evidence cannot be kept ({error.strerror})") from None
        return digest
