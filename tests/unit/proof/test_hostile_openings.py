"""Openings and files of any bytes and any claimed sizes: refused, without an exception and in little memory."""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.proof import container, openings, openings_file, proof_file
from assay.proof.errors import OpeningError, ProofFileError
from assay.proof.probe import layout
from assay.proof.probe.verification import length as lanes_length
from assay.proof.probe.verification import verify_lanes
from assay.proof.statement import JobStatement
from assay.proof.verification import Verifier
from assay.protocol.profile import Profile

PROFILE = Profile(1, 64, 128, 128, 3, 32, 12, 1).validate()
ZERO = bytes(32)
VERIFIER = Verifier(PROFILE, ZERO, ZERO, threads=1)
STATEMENT = JobStatement(PROFILE, 31_337, "0x" + "11" * 20, 7, ZERO, ZERO, ZERO)
MAX_MIB, MAX_SECONDS = 16, 20.0

powers = st.integers(0, 31).map(lambda n: 1 << n)
sizes = st.fixed_dictionaries(
    {
        "id": st.integers(0, 2**32),
        "M": powers,
        "N": powers,
        "K": st.integers(1, 1024).map(lambda n: 64 * n),
        "T": st.one_of(st.integers(0, 40), st.integers(0, 2**32)),
        "chunk": powers,
        "k": st.integers(0, 2**32),
        "W": st.integers(0, 2**32),
    }
)


@contextmanager
def little_memory_and_time() -> Iterator[None]:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_MIB << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_MIB << 10
    assert time.process_time() - started < MAX_SECONDS


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes, st.one_of(st.integers(-1, 20), st.integers(-(2**70), 2**70)), st.binary(max_size=300))
def test_load__any_sizes_in_the_header__refused_in_little_memory(
    tmp_path: Path, claimed: dict[str, int], samples: int, body: bytes
) -> None:
    path = tmp_path / "file"
    statement = {**STATEMENT.to_json(), "profile": claimed}
    root = "0x" + "00" * 32
    for magic, read in (
        (openings_file.MAGIC, lambda: openings_file.load(path)),
        (proof_file.MAGIC, lambda: proof_file.load(path, lambda _: lambda *_: None)),  # type: ignore[arg-type,return-value]
    ):
        header = {"statement": statement, "resultRoot": root, "rho": root, "samples": samples}
        header |= {"engine": "cpu", "elapsedUs": 1, "productsKept": bool(samples % 2)}
        container.write(path, magic, header, [body])
        with little_memory_and_time():
            try:
                found: Any = read()
            except ProofFileError:
                continue
            # What is left has sizes that are read; its bytes are too few for them.
            assert magic == openings_file.MAGIC
            with pytest.raises(OpeningError):
                openings.decode(found.opening, found.statement.profile, found.samples)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=4_096), st.integers(0, 20), st.booleans())
def test_verify__any_bytes_of_any_length__a_verdict_in_little_memory(data: bytes, count: int, right: bool) -> None:
    wanted = openings.length(PROFILE, count) if right else len(data)
    opening = (data * (wanted // max(len(data), 1) + 1))[:wanted]
    lanes = [n % layout.lanes(PROFILE) for n in range(count)]
    size = lanes_length(PROFILE, count) if right else len(data)
    shown = (data * (size // max(len(data), 1) + 1))[:size]
    with little_memory_and_time():
        assert not VERIFIER.verify(ZERO, ZERO, opening, [(n % 3, n) for n in range(count)]).valid
        assert not verify_lanes(PROFILE, [ZERO] * 3, ZERO, ZERO, shown, lanes).valid


@pytest.mark.parametrize(
    ("profile", "count", "said"),
    [
        (PROFILE, 0, "no rows"),
        (PROFILE, openings.MAX_ROWS + 1, "8193 rows: at most 8192"),
        (replace(PROFILE, N=2 * openings.MAX_COLUMNS), 1, "columns: at most"),
        (replace(PROFILE, T=openings.MAX_ROUNDS + 1), 1, "rounds: at most"),
        (replace(PROFILE, N=openings.MAX_COLUMNS), 2_000, "bytes: at most"),
    ],
)
def test_decode__beyond_a_limit__refused_for_its_sizes(profile: Profile, count: int, said: str) -> None:
    with pytest.raises(OpeningError, match=said):
        openings.decode(b"", profile, count)
