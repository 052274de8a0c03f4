"""Files of proofs and openings: a magic word, a JSON header of limited size, then raw bytes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.proof.errors import ProofFileError

MAX_HEADER = 16_384
_MAGIC_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Container:
    """An opened file: its header and where the raw bytes lie."""

    path: Path
    header: dict[str, Any]
    offset: int
    size: int  # raw bytes after the header


def write(path: Path, magic: bytes, header: dict[str, Any], parts: Iterable[Any]) -> None:
    """Writes a file whole or not at all: to a neighbour first, then renamed.

    Args:
        path: replaced if it is there.
        magic: 8 bytes.
        header: values that JSON holds, at most MAX_HEADER bytes as text.
        parts: bytes or arrays, written in order.

    Raises:
        ProofFileError: the file cannot be written.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(magic) != _MAGIC_LENGTH or len(text) > MAX_HEADER:
        raise ValueError("magic or header of a length that no reader accepts")
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ProofFileError(f"{path}: cannot write here: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(magic + len(text).to_bytes(4, "big") + text)
            for part in parts:
                file.write(part)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise ProofFileError(f"{path}: cannot write: {error.strerror}") from None


def read(path: Path, magic: bytes, what: str) -> Container:
    """Reads the header only.

    Raises:
        ProofFileError: missing, not a file, of another kind, or with a header that is not one.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(_MAGIC_LENGTH + 4)
            if head[:_MAGIC_LENGTH] != magic or len(head) < _MAGIC_LENGTH + 4:
                raise ProofFileError(f"{path}: not {what}: it does not begin with {magic.decode()}")
            length = int.from_bytes(head[_MAGIC_LENGTH:], "big")
            if length > min(MAX_HEADER, size):
                raise ProofFileError(f"{path}: corrupt: a header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length))
    except OSError as error:
        raise ProofFileError(f"{path}: cannot read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ProofFileError(f"{path}: corrupt: its header is not JSON") from None
    if not isinstance(header, dict):
        raise ProofFileError(f"{path}: corrupt: its header is not an object")
    offset = _MAGIC_LENGTH + 4 + length
    return Container(path, header, offset, size - offset)
