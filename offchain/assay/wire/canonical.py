"""One byte string for one JSON value: what is hashed and signed when processes speak to each other."""

from __future__ import annotations

import json
from typing import Any

from assay.protocol.keccak import keccak


def encode(value: Any) -> bytes:
    """Keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def content_hash(value: Any) -> bytes:
    """H of the canonical encoding: 32 bytes."""
    return keccak(encode(value))
