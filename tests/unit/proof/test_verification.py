"""What verification accepts, and everything it must refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.proof import openings, sampling
from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.engines import engine
from assay.proof.projection import projection_vector
from assay.proof.verification import OpeningFault, Verifier
from assay.protocol.profile import Profile
from assay.protocol.seeds import device_seed

from .conftest import Vector

PROFILE = Profile(1, 64, 128, 128, 3, 32, 12, 1).validate()
BETA, RHO, DEVICE, NONCES = (bytes([n]) * 32 for n in (1, 2, 3, 4))
SEED = device_seed(BETA, DEVICE, PROFILE.id, NONCES)
INDICES = sampling.samples(RHO, DEVICE, PROFILE)
VERIFIER = Verifier(PROFILE, BETA, RHO, threads=2)


def _honest() -> tuple[bytes, bytes]:
    prover = engine("cpu", threads=1)
    prover.prepare(PROFILE, BETA)
    proof = prover.prove(SEED)
    return proof.result_root, proof.open(INDICES)


ROOT, OPENING = _honest()


def test_verify__worked_values__valid(vector: Vector) -> None:
    verifier = Verifier(vector.profile, vector.bytes("epochSeed"), vector.bytes("rho"))
    assert verifier.r[:4].tolist() == vector.values["r_first4"]
    assert verifier.v[:4].tolist() == vector.values["v_first4"]
    prover = engine("reference")
    prover.prepare(vector.profile, vector.bytes("epochSeed"))
    proof = prover.prove(vector.bytes("deviceSeed"))
    row = openings.decode(proof.open(vector.indices), vector.profile, vector.profile.k).rows[0]
    dot = sum(int(c) * int(r) for c, r in zip(row, verifier.r, strict=True)) % (2**61 - 1)
    assert dot == vector.values["sample0"]["C_dot_r_mod_p"]
    verdict = verifier.verify_device(
        vector.bytes("deviceId"),
        vector.bytes("nonceRoot"),
        vector.bytes("resultRoot"),
        proof.open(vector.indices),
    )
    assert verdict.valid, verdict.reason


def test_samples__worked_values__agree(vector: Vector) -> None:
    drawn = sampling.samples(vector.bytes("rho"), vector.bytes("deviceId"), vector.profile)
    assert drawn == vector.indices
    assert len(drawn) - len(set(drawn)) == vector.values["duplicateSamples"]


def test_verify__an_honest_opening__valid() -> None:
    verdict = VERIFIER.verify_device(DEVICE, NONCES, ROOT, OPENING)
    assert (verdict.valid, verdict.reason, verdict.fault) == (True, "", None)


def test_verify__no_rows__never_passes() -> None:
    for opening in (b"", OPENING, OPENING[: 32 * PROFILE.T]):
        verdict = VERIFIER.verify(SEED, ROOT, opening, [])
        assert verdict.fault is OpeningFault.FORMAT


@pytest.mark.parametrize("change", [-1, 1, -len(OPENING), 4096, 32])
def test_verify__another_length__refused_unread(change: int) -> None:
    opening = OPENING[:change] if change < 0 else OPENING + bytes(change)
    assert VERIFIER.verify(SEED, ROOT, opening, INDICES).fault is OpeningFault.FORMAT


def test_verify__any_single_byte_changed__refused() -> None:
    rng = np.random.default_rng(1)
    for at in [
        0,
        31,
        32,
        32 * PROFILE.T - 1,
        32 * PROFILE.T,
        len(OPENING) - 1,
        *rng.integers(0, len(OPENING), 60),
    ]:
        changed = bytearray(OPENING)
        changed[at] ^= 1 << int(rng.integers(8))
        verdict = VERIFIER.verify(SEED, ROOT, bytes(changed), INDICES)
        assert verdict.fault is (OpeningFault.RESULT_ROOT if at < 32 * PROFILE.T else OpeningFault.PATH)


def test_verify__rows_in_another_order__refused() -> None:
    size = openings.length(PROFILE, 1) - 32 * PROFILE.T
    head, body = OPENING[: 32 * PROFILE.T], OPENING[32 * PROFILE.T :]
    records = [body[n : n + size] for n in range(0, len(body), size)]
    records[0], records[1] = records[1], records[0]
    assert VERIFIER.verify(SEED, ROOT, head + b"".join(records), INDICES).fault is OpeningFault.PATH


def test_verify__another_seed_root_or_rho__refused() -> None:
    assert VERIFIER.verify(bytes(32), ROOT, OPENING, INDICES).fault is OpeningFault.RESULT_ROOT
    assert VERIFIER.verify(SEED, bytes(32), OPENING, INDICES).fault is OpeningFault.RESULT_ROOT
    others = sampling.samples(bytes(32), DEVICE, PROFILE)
    assert VERIFIER.verify(SEED, ROOT, OPENING, others).fault is OpeningFault.PATH


def test_verify__rows_outside_the_profile__refused() -> None:
    for outside in [(3, 0), (0, 64), (-1, 0), (0, -1), (2**70, 0)]:
        assert VERIFIER.verify(SEED, ROOT, OPENING, [*INDICES[:-1], outside]).fault is OpeningFault.FORMAT


def test_verify__skipped_rows__product_fault_at_a_skipped_row() -> None:
    cheat = SkippedRows(0.5, seed=3, threads=1)
    cheat.prepare(PROFILE, BETA)
    proof = cheat.prove(SEED)
    verdict = VERIFIER.verify(SEED, proof.result_root, proof.open(INDICES), INDICES)
    assert verdict.fault is OpeningFault.PRODUCT
    assert verdict.row in INDICES
    assert not proof.rows.read([verdict.row]).any()  # type: ignore[list-item]


def test_verify__one_element_off_by_one__found_when_its_row_is_opened() -> None:
    """The projection has no blind spot: a change of one in any column of a row is seen."""
    prover = engine("cpu", threads=1)
    prover.prepare(PROFILE, BETA)
    from assay.proof.commitment import commit_products
    from assay.proof.threads import Threads

    for column in (0, 1, 63, 127):

        def multiply(t: int, seed: bytes, column: int = column) -> np.ndarray:
            product = prover.rows(seed, range(64))  # type: ignore[attr-defined]
            product[5, column] += 1 if t == 1 else 0
            return product

        proof = commit_products(PROFILE, BETA, SEED, multiply, "off-by-one", Threads(1))
        assert VERIFIER.verify(SEED, proof.result_root, proof.open([(1, 4), (1, 5)]), [(1, 4), (1, 5)]).row == (1, 5)
        assert VERIFIER.verify(SEED, proof.result_root, proof.open([(1, 4)]), [(1, 4)]).valid


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=20_000), st.integers(0, 20))
def test_verify__hostile_bytes__a_verdict_and_no_exception(data: bytes, count: int) -> None:
    size = openings.length(PROFILE, count)
    for opening in (data, (data * (size // max(len(data), 1) + 1))[:size]):
        assert not VERIFIER.verify(SEED, ROOT, opening, (INDICES * 2)[:count]).valid


def test_projection_vector__any_number_of_columns__a_prefix_of_the_longer() -> None:
    assert projection_vector(RHO, 6).tolist() == projection_vector(RHO, 64)[:6].tolist()


def test_verify__profiles_with_one_row_or_one_chunk__valid() -> None:
    for profile in [replace(PROFILE, M=1), replace(PROFILE, chunk=128), replace(PROFILE, T=1, W=0, k=1)]:
        prover = engine("cpu", threads=1)
        prover.prepare(profile, BETA)
        proof = prover.prove(SEED)
        indices = sampling.samples(RHO, DEVICE, profile)
        assert Verifier(profile, BETA, RHO).verify(SEED, proof.result_root, proof.open(indices), indices).valid
