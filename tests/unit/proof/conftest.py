"""The worked values that every implementation must reproduce."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.protocol.profile import Profile

_FILE = Path(__file__).parents[2] / "vectors" / "proof-v1.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@dataclass(frozen=True)
class Vector:
    """One worked case; `values` are as in the file."""

    values: dict[str, Any]

    @property
    def profile(self) -> Profile:
        v = self.values
        return Profile(v["profile"], v["M"], v["N"], v["K"], v["T"], v["chunk"], v["k"], v["W"]).validate()

    def bytes(self, name: str) -> bytes:
        return unhex(self.values[name])

    @property
    def indices(self) -> list[tuple[int, int]]:
        return [(t, i) for t, i in self.values["samples"]]


@pytest.fixture(params=VECTORS, ids=lambda v: v["name"])
def vector(request: pytest.FixtureRequest) -> Vector:
    return Vector(request.param)
