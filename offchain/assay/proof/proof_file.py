"""A device's proof on disk: what is needed to open any of its rows later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.proof import container
from assay.proof.errors import ProofFileError
from assay.proof.kernels.row_trees import tree_levels
from assay.proof.proof import KeptRows, Proof, RecomputedRows
from assay.proof.statement import JobStatement
from assay.protocol.hexadecimal import HexadecimalError, parse_bytes32, to_hex

MAGIC = b"ASSAYPF1"
Multiply = Callable[[bytes, list[int]], NDArray[np.int32]]


def save(path: Path, statement: JobStatement, proof: Proof) -> None:
    """Writes a proof: seeds, roots, roots of rows, and C where the proof keeps it.

    Raises:
        ProofFileError: the file cannot be written.
    """
    kept = isinstance(proof.rows, KeptRows)
    header = {
        "statement": statement.to_json(),
        "engine": proof.engine,
        "elapsedUs": proof.elapsed_us,
        "resultRoot": to_hex(proof.result_root),
        "productsKept": kept,
    }
    parts: list[object] = [
        b"".join(proof.round_seeds),
        b"".join(proof.round_roots),
        np.ascontiguousarray(proof.row_roots).data,
    ]
    if isinstance(proof.rows, KeptRows):
        parts.append(np.ascontiguousarray(proof.rows.products, dtype="<i4").data)
    container.write(path, MAGIC, header, parts)


def load(path: Path, multiply: Callable[[JobStatement], Multiply]) -> tuple[JobStatement, Proof]:
    """Reads a proof back; C is mapped, not loaded.

    Args:
        path: a file that `save` wrote.
        multiply: for a proof without C, gives what multiplies rows again: (round seed, rows i) -> int32 (n,
            N).

    Raises:
        ProofFileError: missing, truncated, corrupt, or not what its own result root commits to.
    """
    file = container.read(path, MAGIC, "a proof that `assay proof commit` wrote")
    statement = JobStatement.from_json(file.header.get("statement"), str(path))
    kept, elapsed, engine = (file.header.get(name) for name in ("productsKept", "elapsedUs", "engine"))
    if not isinstance(kept, bool) or not isinstance(elapsed, int) or not isinstance(engine, str):
        raise ProofFileError(f"{path}: corrupt: its header lacks productsKept, elapsedUs or engine")
    profile = statement.profile
    tree_bytes = profile.T * (64 + 32 * profile.M)
    expected = tree_bytes + (4 * profile.T * profile.M * profile.N if kept else 0)
    if file.size != expected:
        raise ProofFileError(f"{path}: corrupt: {file.size} bytes after its header, expected {expected}")
    raw = np.memmap(path, dtype=np.uint8, mode="r", offset=file.offset, shape=(file.size,))
    seeds = tuple(raw[32 * t : 32 * t + 32].tobytes() for t in range(profile.T))
    roots = tuple(raw[32 * t : 32 * t + 32].tobytes() for t in range(profile.T, 2 * profile.T))
    row_roots = raw[64 * profile.T : tree_bytes].reshape(profile.T, profile.M, 32)
    for t in range(profile.T):
        if tree_levels(row_roots[t])[-1].tobytes() != roots[t]:
            raise ProofFileError(f"{path}: corrupt: the rows of round {t} do not make its root")
    if kept:
        products = raw[tree_bytes:].view("<i4").reshape(profile.T, profile.M, profile.N)
        rows: KeptRows | RecomputedRows = KeptRows(products)
    else:
        again = multiply(statement)
        rows = RecomputedRows(lambda t, wanted: again(seeds[t], wanted))
    proof = Proof(profile, statement.epoch_seed, statement.device_seed, seeds, roots, row_roots, rows, elapsed, engine)
    try:
        claimed = parse_bytes32(str(file.header.get("resultRoot")))
    except HexadecimalError as error:
        raise ProofFileError(f"{path}: corrupt: {error}") from None
    if proof.result_root != claimed:
        raise ProofFileError(f"{path}: corrupt: its rounds do not make its result root {to_hex(claimed)}")
    return statement, proof
