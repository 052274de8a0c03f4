"""What a device is said to be: a JSON document whose hash the device key signs at enrolment. Declared, not measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.keccak import keccak
from assay.protocol.text import printable

MAX_SPECIFICATION_BYTES = 8_192
MAX_TEXT = 80
MAX_REGION = 40
MAX_MEMORY_MIB = 1 << 31


@dataclass(frozen=True, slots=True)
class DeclaredHost:
    """The part of its host that a device carries: what the pod of a lease of it has."""

    cores: int
    memory_mib: int
    disk_mib: int

    def to_json(self) -> dict[str, int]:
        """As a specification has it under `host`."""
        return {"cores": self.cores, "memoryMiB": self.memory_mib, "diskMiB": self.disk_mib}

    @classmethod
    def parse(cls, value: Any) -> DeclaredHost | None:
        """From outside; None for anything but three whole numbers above zero."""
        if not isinstance(value, Mapping):
            return None
        found = [value.get(name) for name in ("cores", "memoryMiB", "diskMiB")]
        if not all(type(one) is int and 0 < one < MAX_MEMORY_MIB for one in found):
            return None
        cores, memory_mib, disk_mib = (int(one or 0) for one in found)
        return cls(cores, memory_mib, disk_mib)


def host_of_all(hosts: Iterable[DeclaredHost | None]) -> DeclaredHost | None:
    """What a node of several devices has: the parts of them all; None unless each declares one."""
    cores = memory_mib = disk_mib = 0
    for one in hosts:
        if one is None:
            return None
        cores, memory_mib, disk_mib = cores + one.cores, memory_mib + one.memory_mib, disk_mib + one.disk_mib
    return DeclaredHost(cores, memory_mib, disk_mib) if cores else None


@dataclass(frozen=True, slots=True)
class Specification:
    """A declared device; empty texts and zero memory are not declared, nor is a `host` that is None. `document` is the
    canonical text."""

    spec_hash: bytes
    kind: str
    model: str
    memory_mib: int
    region: str
    document: str
    host: DeclaredHost | None = None


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
        DeclaredHost.parse(document.get("host")),
    )


def _text(value: Any, most: int) -> str:
    return printable(value[:most]) if isinstance(value, str) else ""
