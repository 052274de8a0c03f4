"""Every attack of the suite, a few seeds each: caught or passed as theory says, and never by an exception."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from assay.cli.app import app
from assay.proof.adversaries.attack import Rate, play
from assay.proof.adversaries.products import hankel_product, rounded_to_bf16
from assay.validator.adversaries.suite import ATTACKS

pytestmark = pytest.mark.slow

CERTAIN = [name for name, attack in ATTACKS.items() if attack.theory in (0.0, 1.0)]
PARTIAL = [name for name in ATTACKS if name not in CERTAIN]


@pytest.mark.parametrize("name", CERTAIN)
def test_attack__certain_ones__always_as_theory_says(name: str) -> None:
    rate = play(ATTACKS[name], 5)
    assert rate.share == ATTACKS[name].theory


@pytest.mark.parametrize("name", PARTIAL)
def test_attack__partial_ones__near_theory(name: str) -> None:
    attack = ATTACKS[name]
    trials = 60
    rate = play(attack, trials)
    assert attack.theory is not None
    # Six standard deviations: fails once in a hundred million runs if theory holds.
    assert abs(rate.share - attack.theory) <= 6 * (attack.theory * (1 - attack.theory) / trials) ** 0.5 + 0.001


def test_hankel_product__a_hankel_generator__would_be_broken_by_it() -> None:
    """The shortcut is a real one: where matrices are filled by index sums it gives the exact product."""
    rng = np.random.default_rng(0)
    rows, columns, length = 12, 9, 40
    a, b = (rng.integers(-128, 128, length + n - 1) for n in (rows, columns))
    left = np.array([[a[i + k] for k in range(length)] for i in range(rows)])
    right = np.array([[b[j + k] for k in range(length)] for j in range(columns)])
    assert np.array_equal(hankel_product(a, b, rows, columns), left @ right.T)


def test_bf16__every_int8__held_exactly() -> None:
    values = np.arange(-128, 128, dtype=np.float32)
    assert np.array_equal(rounded_to_bf16(values), values)
    assert rounded_to_bf16(np.array([257.0], np.float32))[0] == 256


def test_interval__known_values__wilson() -> None:
    low, high = Rate(5, 10).interval()
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert Rate(0, 10).interval()[0] == 0
    assert Rate(10, 10).interval()[1] == pytest.approx(1)


def test_commands__list_and_run__json() -> None:
    runner = CliRunner()
    listed = json.loads(runner.invoke(app, ["adversary", "list", "-o", "json"]).stdout)
    assert set(listed) == set(ATTACKS)
    done = runner.invoke(app, ["adversary", "run", "hankel", "--trials", "3", "-o", "json"])
    out = json.loads(done.stdout)
    assert (done.exit_code, out["caught"], out["trials"], out["asExpected"]) == (0, 3, 3, True)
    assert runner.invoke(app, ["adversary", "run", "nothing"]).exit_code == 2
