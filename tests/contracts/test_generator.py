"""The dot product that judges: against the worked values, and for entries that are hardest to sum."""

import json
from pathlib import Path

import numpy as np
import pytest

from assay.proof.generator import TAG_A, TAG_B, vector

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "proof-v1.json").read_text())


@pytest.fixture(scope="module")
def library(project, accounts):
    return accounts[0].deploy(project.LibraryHarness)


def hexadecimal(text):
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.mark.parametrize("case", VECTORS if isinstance(VECTORS, list) else VECTORS["cases"], ids=lambda c: c["name"])
def test_dot__first_row_of_the_vectors__equal(library, case):
    seed_a, seed_b = hexadecimal(case["deviceSeed"]), hexadecimal(case["epochSeed"])
    for j, expected in enumerate(case["C0_0_first4"]):
        assert library.dot(seed_a, 0, seed_b, j, case["K"]) == expected


@pytest.mark.parametrize("K", [64, 1024, 4096, 65_536])
def test_dot__random_rows__as_numpy_in_64_bits(library, K):
    for n in range(3):
        seed_a, seed_b = bytes([n + 1]) * 32, bytes([n + 101]) * 32
        a, b = vector(seed_a, TAG_A, n, K).astype(np.int64), vector(seed_b, TAG_B, 7 * n, K).astype(np.int64)
        assert library.dot(seed_a, n, seed_b, 7 * n, K) == int(a @ b)


def test_emission__any_epoch__sum_of_what_each_emits(library):
    total = 0
    for epoch in range(30):
        total += library.emissionAt(1000, 7, epoch)
        assert library.emissionUpTo(1000, 7, epoch) == total


@pytest.mark.parametrize(
    ("amount", "bps", "floor", "expected"),
    [(0, 200, 5, 0), (3, 200, 5, 3), (100, 200, 5, 5), (1_000, 200, 5, 20), (1_001, 200, 5, 21), (10, 0, 0, 0)],
)
def test_fee__share_floor_and_never_more_than_all(library, amount, bps, floor, expected):
    assert library.fee(amount, bps, floor) == expected


@pytest.mark.parametrize(
    ("bond", "served", "least", "expected"), [(100, 0, 3, 100), (100, 1, 3, 67), (100, 3, 3, 0), (100, 0, 0, 0)]
)
def test_unserved__part_of_the_bond__rounded_up(library, bond, served, least, expected):
    assert library.unserved(bond, served, least) == expected
