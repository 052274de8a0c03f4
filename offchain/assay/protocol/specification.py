"""What a device is said to be: a JSON document whose hash the device key signs at enrolment. Declared, not measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.protocol.keccak import keccak

MAX_SPECIFICATION_BYTES = 8_192


def canonical_specification(document: Mapping[str, Any]) -> bytes:
    """The document as it is hashed: JSON in ASCII, names sorted, no spaces. Raises ValueError beyond 8 KiB."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    if len(text) > MAX_SPECIFICATION_BYTES:
        raise ValueError(f"a specification of {len(text)} bytes, at most {MAX_SPECIFICATION_BYTES} are taken")
    return text.encode("ascii")


def specification_hash(document: Mapping[str, Any]) -> bytes:
    """H of the canonical document: `specHash` of the registry, 32 bytes."""
    return keccak(canonical_specification(document))
