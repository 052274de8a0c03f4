"""A mixed population on the real reward rules: honesty pays best, and what a third of the seats can do is known."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from assay.economics.parameters import Economy, load
from assay.economics.simulation import Market, ProviderKind, Simulation, SimulationOutcome, ValidatorKind, people

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = sorted((ROOT / "deployments").glob("*.yml"))
EPOCHS = 150


@pytest.fixture(params=DEPLOYMENTS, ids=lambda path: path.stem)
def economy(request: pytest.FixtureRequest) -> Economy:
    return load(request.param)


def simulated(economy: Economy, seed: int = 3, **mix: int) -> SimulationOutcome:
    providers, validators = people(**mix)
    return Simulation(economy, Market(epochs=EPOCHS), providers, validators, random.Random(seed)).run()


def final(outcome: SimulationOutcome) -> dict[str, float]:
    return {kind: path[-1] for kind, path in outcome.path.items()}


def test_simulation__of_a_mixed_population__pays_honesty_best(economy: Economy) -> None:
    outcome = simulated(economy)
    profits = final(outcome)
    honest = profits[f"provider, {ProviderKind.HONEST}"]
    assert honest > 0
    kinds = [ProviderKind.LAZY, ProviderKind.SELF_LEASING, ProviderKind.DARK]
    for kind in (*kinds, *([] if economy.is_local else [ProviderKind.BAITING])):
        assert profits[f"provider, {kind}"] < honest
    assert profits[f"provider, {ProviderKind.LAZY}"] < 0
    assert profits[f"validator, {ValidatorKind.LAZY}"] < profits[f"validator, {ValidatorKind.HONEST}"]
    assert outcome.false_passes == 0


@pytest.mark.parametrize("path", [path for path in DEPLOYMENTS if path.stem != "local"], ids=lambda path: path.stem)
def test_simulation__of_one_card_under_four_names__earns_less_than_under_one(path: Path) -> None:
    assert _of_a_card(load(path), 4) < _of_a_card(load(path), 1)


def test_simulation__of_a_processor_under_four_names__earns_four_times_where_the_tokens_are_worth_nothing() -> None:
    local = load(ROOT / "deployments" / "local.yml")
    assert _of_a_card(local, 4) > 3 * _of_a_card(local, 1) / 2


def _of_a_card(economy: Economy, names: int) -> float:
    providers, validators = people(lazy=0, sybil=1, self_leasing=0, dark=0, baiting=0, lazy_seats=0, colluding=0)
    card = providers[-1]
    card.names = names
    outcome = Simulation(economy, Market(epochs=EPOCHS), providers, validators, random.Random(5)).run()
    return outcome.profit(card)


def test_simulation__with_a_quorum_of_colluding_seats__passes_what_is_wrong(economy: Economy) -> None:
    assert simulated(economy, seats=10, lazy_seats=0, colluding=7).false_passes > 0
    assert simulated(economy, seats=10, lazy_seats=0, colluding=6).false_passes == 0


def test_simulation__more_than_f_seats_stall_and_do_not_check_in__are_evicted_and_the_rest_goes_on(
    economy: Economy,
) -> None:
    outcome = simulated(economy, lazy_seats=0, colluding=0, stalling=4)
    assert outcome.stalled == economy.idle_epochs
    stalling = {v.account for v in outcome.validators if v.kind is ValidatorKind.STALLING}
    assert set(outcome.evicted) == stalling
    profits = final(outcome)
    assert profits[f"validator, {ValidatorKind.STALLING}"] < 0 < profits[f"validator, {ValidatorKind.HONEST}"]


def test_simulation__more_than_f_seats_stall_and_check_in__nobody_is_evicted_and_nobody_earns(economy: Economy) -> None:
    outcome = simulated(economy, lazy_seats=0, colluding=0, stalling=4, checks_in=True)
    assert (outcome.stalled, outcome.evicted) == (EPOCHS, [])
    assert sum(outcome.earned.values()) == 0


def test_simulation__f_seats_sign_nothing_but_check_in__are_evicted_all_the_same(economy: Economy) -> None:
    outcome = simulated(economy, lazy_seats=0, colluding=0, stalling=3, checks_in=True)
    assert outcome.stalled == 0
    assert {v.kind for v in outcome.validators if v.removed} == {ValidatorKind.STALLING}


def test_simulation__with_one_seed__repeats_itself(economy: Economy) -> None:
    assert simulated(economy).path == simulated(economy).path


def test_simulation__of_any_population__never_mints_beyond_the_emission(economy: Economy) -> None:
    outcome = simulated(economy)
    assert sum(outcome.earned.values()) <= EPOCHS * economy.emission
