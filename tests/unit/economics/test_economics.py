"""The shipped parameters lie where every cheat loses, and the model can tell when they do not."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.economics.agents import ProviderKind, ValidatorKind
from assay.economics.detection import passes
from assay.economics.parameters import BadParameters, Economy, load
from assay.economics.plots import line_plot
from assay.economics.safety import (
    conditions,
    reward_per_device,
    self_lease_gain,
    skipping_gain,
    sybil_gain,
    trap_gain,
)
from assay.economics.simulation import Market, Outcome, Simulation, people

DEPLOYMENTS = sorted((Path(__file__).resolve().parents[3] / "deployments").glob("*.yml"))
EPOCHS_A_YEAR = 31_557_600 / 20


@pytest.fixture(params=DEPLOYMENTS, ids=lambda path: path.stem)
def economy(request: pytest.FixtureRequest) -> Economy:
    return load(request.param)


def test_parameters__shipped__satisfy_every_condition(economy: Economy) -> None:
    assert [(c.name, c.got, c.needed) for c in conditions(economy) if not c.holds] == []


@given(share=st.floats(1e-4, 1), part=st.floats(0, 1))
@pytest.mark.parametrize("path", DEPLOYMENTS, ids=lambda path: path.stem)
def test_skipping__of_any_share_at_any_cost_up_to_the_reward__loses(path: Path, share: float, part: float) -> None:
    economy = load(path)
    for profile in economy.profiles:
        assert skipping_gain(economy, profile, share, part * reward_per_device(economy, profile)) < 0


def test_other_cheats__at_the_shipped_parameters__lose(economy: Economy) -> None:
    for profile in economy.profiles:
        assert sybil_gain(economy, profile, 4, EPOCHS_A_YEAR, 0.08) < 0
        assert self_lease_gain(economy, profile, 1.0) < 0
        assert trap_gain(economy, profile, 1) > 0  # for whoever sets it: validators must verify


@pytest.mark.parametrize("field", ["stake", "seat_stake", "bounty"])
def test_conditions__of_parameters_a_thousandth_of_those_shipped__fail(economy: Economy, field: str) -> None:
    if field == "stake":
        profiles = tuple(replace(p, stake=p.stake / 1_000) for p in economy.profiles)
        weak = replace(economy, profiles=profiles)
    else:
        weak = replace(economy, **{field: getattr(economy, field) / 1_000})
    assert any(not c.holds for c in conditions(weak))


def test_skipping__with_next_to_no_stake_and_few_rows__pays(economy: Economy) -> None:
    profile = replace(economy.profiles[0], stake=0.0, samples=1)
    assert skipping_gain(economy, profile, 0.5, 3 * reward_per_device(economy, profile)) > 0


def test_passes__at_the_published_points__is_the_published_chance() -> None:
    assert passes(0.01, 256) == pytest.approx(0.0763, abs=1e-4)
    assert passes(0.05, 256) == pytest.approx(2e-6, rel=0.02)


def simulated(economy: Economy, seed: int = 3, **mix: int) -> Outcome:
    providers, validators = people(**mix)
    return Simulation(economy, Market(epochs=150), providers, validators, random.Random(seed)).run()


def test_simulation__of_a_mixed_population__pays_honesty_best(economy: Economy) -> None:
    outcome = simulated(economy)
    final = {kind: path[-1] for kind, path in outcome.path.items()}
    honest = final[f"provider, {ProviderKind.HONEST}"]
    assert honest > 0
    for kind in (ProviderKind.LAZY, ProviderKind.SELF_LEASING):
        assert final[f"provider, {kind}"] < honest
    assert final[f"provider, {ProviderKind.LAZY}"] < 0
    assert final[f"validator, {ValidatorKind.LAZY}"] < final[f"validator, {ValidatorKind.HONEST}"]
    assert outcome.false_passes == 0


def test_simulation__of_one_card_under_four_names__earns_less_than_under_one(economy: Economy) -> None:
    profits = []
    for names in (1, 4):
        providers, validators = people(lazy=0, sybil=1, self_leasing=0, lazy_seats=0, colluding=0)
        card = providers[-1]
        card.names = names
        outcome = Simulation(economy, Market(epochs=150), providers, validators, random.Random(5)).run()
        profits.append(outcome.profit(card))
    assert profits[1] < profits[0]


def test_simulation__with_a_quorum_of_colluding_seats__passes_what_is_wrong(economy: Economy) -> None:
    assert simulated(economy, seats=10, lazy_seats=0, colluding=7).false_passes > 0
    assert simulated(economy, seats=10, lazy_seats=0, colluding=6).false_passes == 0


def test_simulation__with_one_seed__repeats_itself(economy: Economy) -> None:
    assert simulated(economy).path == simulated(economy).path


def test_simulation__of_any_population__never_mints_beyond_the_emission(economy: Economy) -> None:
    outcome = simulated(economy)
    assert sum(outcome.earned.values()) <= 150 * economy.emission


def test_load__of_a_file_that_lacks_a_section__says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("network: x\n")
    with pytest.raises(BadParameters, match="epochs"):
        load(path)


def test_line_plot__of_lines__draws_each_once() -> None:
    text = line_plot("t", "x", "y", [0, 1], {"a<b": [1, 2], "c": [-1, 0]})
    assert text.count("<polyline") == 2
    assert "a&lt;b" in text
