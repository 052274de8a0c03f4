"""The record of a deployment: written step by step, so that one that failed half-way goes on where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Artifact:
    """A JSON file, replaced whole at each step."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data

    @classmethod
    def read(cls, path: Path) -> Artifact | None:
        return cls(path, json.loads(path.read_text())) if path.exists() else None

    @property
    def complete(self) -> bool:
        return bool(self.data.get("complete"))

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(f".{os.getpid()}.tmp")
        scratch.write_text(json.dumps(self.data, indent=1) + "\n")
        scratch.replace(self.path)


def plain(value: Any) -> Any:
    """Constructor arguments as JSON: integers above 2^53 as text."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 53:
        return str(value)
    return value
