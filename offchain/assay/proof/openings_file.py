"""An opening on disk, with the statement it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.proof import container, openings
from assay.proof.errors import OpeningError, ProofFileError
from assay.proof.statement import JobStatement
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex
from assay.protocol.types import Rho, Root

MAGIC = b"ASSAYOP1"
_SLACK = 1 << 20  # bytes beyond the right length that are still read, to say how far off a file is


@dataclass(frozen=True, slots=True)
class OpeningsFile:
    """What a device claims, and the bytes of its opening. None of it is verified yet."""

    statement: JobStatement
    result_root: Root
    rho: Rho
    samples: int
    opening: bytes


def save(path: Path, contents: OpeningsFile) -> None:
    """Writes an opening. Raises ProofFileError."""
    header = {
        "statement": contents.statement.to_json(),
        "resultRoot": to_hex(contents.result_root),
        "rho": to_hex(contents.rho),
        "samples": contents.samples,
    }
    container.write(path, MAGIC, header, [contents.opening])


def load(path: Path) -> OpeningsFile:
    """Reads an opening; its bytes are not looked into, but never more of them are read than a right one has.

    Raises:
        ProofFileError: missing, of another kind, with a corrupt header, or far longer than its samples
            demand.
    """
    file = container.read(path, MAGIC, "openings that `assay proof open` wrote")
    statement = JobStatement.from_json(file.header.get("statement"), str(path))
    samples = file.header.get("samples")
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise ProofFileError(f"{path}: corrupt: samples = {samples!r} is not a number")
    try:
        openings.check_sizes(statement.profile, samples)
    except OpeningError as error:
        raise ProofFileError(f"{path}: {error}") from None
    limit = openings.length(statement.profile, samples) + _SLACK
    if file.size > limit:
        raise ProofFileError(f"{path}: {file.size} bytes of opening, {limit - _SLACK} were expected")
    try:
        root = Root(parse_bytes32(str(file.header.get("resultRoot")), "resultRoot"))
        rho = Rho(parse_bytes32(str(file.header.get("rho")), "rho"))
        with path.open("rb") as stream:
            stream.seek(file.offset)
            # What a header claims is no reason to make room for it.
            opening = stream.read(file.size)
    except HexadecimalError as error:
        raise ProofFileError(f"{path}: corrupt: {error}") from None
    except OSError as error:
        raise ProofFileError(f"{path}: cannot read: {error.strerror}") from None
    return OpeningsFile(statement, root, rho, samples, opening)
