"""What a device is said to be: a JSON document whose hash the device key signs at enrolment. Declared, not measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.keccak import keccak
from assay.protocol.text import printable

MAX_SPECIFICATION_BYTES = 8_192
MAX_TEXT = 80
MAX_REGION = 40
MAX_MEMORY_MIB = 1 << 31


@dataclass(frozen=True, slots=True)
class Specification:
    """A declared device; empty texts and zero memory are not declared. `document` is the canonical text."""

    spec_hash: bytes
    kind: str
    model: str
    memory_mib: int
    region: str
    document: str


def canonical_specification(document: Mapping[str, Any]) -> bytes:
    """The document as it is hashed: JSON in ASCII, names sorted, no spaces. Raises ValueError beyond 8 KiB."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    if len(text) > MAX_SPECIFICATION_BYTES:
        raise ValueError(f"a specification of {len(text)} bytes, at most {MAX_SPECIFICATION_BYTES} are taken")
    return text.encode("ascii")


def specification_hash(document: Mapping[str, Any]) -> bytes:
    """H of the canonical document: `specHash` of the registry, 32 bytes."""
    return keccak(canonical_specification(document))


def parse_specification(document: Any) -> Specification:
    """A document from outside, its texts printable and short. Raises ValueError for
    anything but an object of at most 8 KiB."""
    if not isinstance(document, Mapping):
        raise ValueError("a specification that is not an object")
    try:
        text = canonical_specification(document)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"a specification without a canonical text: {error}") from None
    memory = document.get("memoryMiB")
    whole = isinstance(memory, int) and not isinstance(memory, bool) and 0 <= memory < MAX_MEMORY_MIB
    return Specification(
        keccak(text),
        _text(document.get("kind"), MAX_TEXT),
        _text(document.get("model"), MAX_TEXT),
        int(memory) if whole else 0,  # type: ignore[arg-type]
        _text(document.get("region"), MAX_REGION),
        text.decode("ascii"),
    )


def _text(value: Any, most: int) -> str:
    return printable(value[:most]) if isinstance(value, str) else ""
