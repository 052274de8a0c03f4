"""The shipped parameters lie where every cheat loses, and the model can tell when they do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay.economics import gas
from assay.economics.cheats import (
    baiting_gain,
    dark_gain,
    demands_to_price_out,
    names_gain,
    reward_per_device,
    row_loss,
    row_reward,
    self_demand_cost,
    self_lease_gain,
    skipping_gain,
    trap_gain,
)
from assay.economics.detection import passes
from assay.economics.machines import (
    CARDS,
    CORE_GMACS,
    PROCESSOR,
    Machine,
    names,
    names_in_time,
    of_class,
    windows_at_once,
)
from assay.economics.parameters import BadParameters, Economy, ProfileMoney, from_mapping, load
from assay.economics.plots import line_plot
from assay.economics.safety import Condition, conditions, unheld
from tests.cases import deep_but

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = sorted((ROOT / "deployments").glob("*.yml"))
PUBLIC = [path for path in DEPLOYMENTS if path.stem != "local"]


@pytest.fixture(params=DEPLOYMENTS, ids=lambda path: path.stem)
def economy(request: pytest.FixtureRequest) -> Economy:
    return load(request.param)


@pytest.fixture(params=PUBLIC, ids=lambda path: path.stem)
def public(request: pytest.FixtureRequest) -> Economy:
    return load(request.param)


def changed(path: Path, **sections: dict) -> Economy:
    """A file's economy with some of its values replaced; `profiles` by name."""
    data = yaml.safe_load(path.read_text())
    for name, values in sections.items():
        if name == "profiles":
            data[name] = [{**row, **values.get(row["name"], {})} for row in data[name]]
        else:
            data[name].update(values)
    return from_mapping(data)


def failing(economy: Economy) -> list[str]:
    return [condition.name for condition in conditions(economy) if not condition.holds]


def earning(economy: Economy) -> list[ProfileMoney]:
    return [profile for profile in economy.profiles if profile.credit]


def test_parameters__shipped__satisfy_every_condition(economy: Economy) -> None:
    assert [(c.name, c.got, c.needed) for c in conditions(economy) if not c.holds] == []


def test_parameters__of_a_public_network__pay_nothing_for_what_a_processor_can_do(public: Economy) -> None:
    assert not unheld(public)
    for profile in earning(public):
        assert names(profile, PROCESSOR) <= 1


def test_baiting__at_the_parameters_of_a_public_network__loses(public: Economy) -> None:
    for profile in earning(public):
        assert baiting_gain(public, profile, 1, 100) < 0


def test_parameters__of_the_local_network__say_what_is_not_held() -> None:
    (text,) = unheld(load(ROOT / "deployments" / "local.yml"))
    assert text.startswith("micro: ") and "local chain" in text


@given(share=st.floats(1e-4, 1), part=st.floats(0, 1))
@pytest.mark.parametrize("path", deep_but(DEPLOYMENTS[:1], DEPLOYMENTS), ids=lambda path: path.stem)
def test_skipping__of_any_share_at_any_cost_up_to_the_reward__loses(path: Path, share: float, part: float) -> None:
    economy = load(path)
    for profile in economy.profiles:
        assert skipping_gain(economy, profile, share, part * reward_per_device(economy, profile)) < 0


def test_other_cheats__at_the_shipped_parameters__lose(economy: Economy) -> None:
    for profile in earning(economy):
        reward = reward_per_device(economy, profile)
        assert names_gain(economy, profile, of_class(profile), 4) < 0
        assert self_lease_gain(economy, profile, 1.0) < 0
        for epochs in (0.1, 1, 10, 1_000):
            for least in (0, 1, 24):
                assert dark_gain(economy, profile, reward, least, epochs) < 0
    assert all(trap_gain(economy, profile, 1) > 0 for profile in economy.profiles)  # for whoever sets it


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("edge: proving a fault", {"assumptions": {"gasPriceGwei": 50}}),
        ("edge: not verifying", {"seats": {"seatStake": "9.9e23"}}),
        ("edge: setting a trap", {"seats": {"seatStake": "1e22"}}),
        ("edge: being caught at 5 %", {"profiles": {"edge": {"k": 32}}}),
        ("edge: asking oneself", {"proofs": {"unitBond": "8e19"}}),
        ("edge: being asked", {"proofs": {"unitBond": "3e16"}}),
        ("edge: room for the probe", {"profiles": {"edge": {"deadlineMs": 1_400_000}}}),
        ("edge: skipping rows", {"profiles": {"edge": {"stake": "1e18"}}}),
        ("edge: cheating for a proof window", {"rewards": {"maxPerCredit": "3e18"}}),
        ("edge: baiting a watcher", {"proofs": {"unitBond": "1e18"}}),
        ("micro: names of one machine", {"profiles": {"micro": {"credit": 1}}}),
        ("edge: names of one machine", {"profiles": {"edge": {"T": 18, "W": 4}}}),
        ("reporting oneself", {"stakes": {"bountyBps": 1_001}}),
        ("going dark", {"leases": {"holdback": 12_599}}),
        ("stalling", {"chain": {"blockTime": 100}}),
    ],
)
def test_condition__parameters_that_let_the_cheat_win__fails(name: str, sections: dict) -> None:
    path = ROOT / "deployments" / "base-mainnet.yml"
    assert name not in failing(load(path))
    assert name in failing(changed(path, **sections))


def test_condition__nothing_to_gain__holds_however_little_it_costs() -> None:
    condition = Condition("", "", 0.0, 0.0, "")
    assert condition.holds and condition.margin == float("inf")


def test_skipping__with_next_to_no_stake_and_few_rows__pays(economy: Economy) -> None:
    profile = earning(economy)[0]
    weak = replace(profile, stake=0.0, shape=replace(profile.shape, k=1))
    assert skipping_gain(economy, weak, 0.5, 3 * reward_per_device(economy, weak)) > 0


def test_passes__at_the_published_points__is_the_published_chance() -> None:
    assert passes(0.01, 256) == pytest.approx(0.0763, abs=1e-4)
    assert passes(0.05, 256) == pytest.approx(2e-6, rel=0.02)


def test_processor__rate_of_a_core__is_the_measured_one() -> None:
    measured = json.loads((ROOT / "benchmarks" / "proof" / "cpu.json").read_text())
    assert pytest.approx(measured["products"]["int8 byte products (VNNI)"], rel=0.01) == CORE_GMACS
    assert PROCESSOR.measured
    assert not any(card.measured for card in CARDS)


def test_gas__of_each_step__is_what_was_measured_or_more() -> None:
    measured = json.loads((ROOT / "snapshots" / "gas.json").read_text())
    assert measured["commit of a proof"] <= gas.COMMIT
    assert measured["wrong element, K = 4,096"] <= gas.PROOF_SHORT
    assert measured["wrong element, K = 65,536"] <= gas.PROOF_LONG
    assert max(measured["demand, N = 256"], measured["demand, N = 4,096"]) <= gas.DEMAND


@pytest.mark.parametrize(
    ("columns", "name"), [(256, "answer of a row, N = 256"), (4_096, "answer of a row, N = 4,096")]
)
def test_gas__of_an_answer__is_what_was_measured_or_more(public: Economy, columns: int, name: str) -> None:
    measured = json.loads((ROOT / "snapshots" / "gas.json").read_text())
    profile = public.profiles[0]
    row = replace(profile, shape=replace(profile.shape, N=columns))
    assert measured[name] <= gas.answer(row)


def test_names__of_micro_on_one_core__are_hundreds_in_eight_seconds(public: Economy) -> None:
    micro = next(profile for profile in public.profiles if profile.name == "micro")
    core = Machine("core", CORE_GMACS * 1e9, float(1 << 40), True)
    assert 600 <= names(micro, core) <= 650
    paid = replace(micro, shape=replace(micro.shape, credit=1))
    assert names_gain(public, paid, core, 600) > 0  # which is why it is paid nothing


def card(name: str) -> Machine:
    return next(card for card in CARDS if card.name == name)


def test_names__of_a_faster_card__are_bounded_by_the_windows_it_holds_at_one_instant(public: Economy) -> None:
    edge = next(profile for profile in public.profiles if profile.name == "edge")
    assert (names_in_time(edge, card("H100")), names(edge, card("H100"))) == (11, 6)
    assert (names_in_time(edge, card("RTX 4090")), names(edge, card("RTX 4090"))) == (4, 1)


def test_names__without_a_window__show_no_memory(public: Economy) -> None:
    edge = replace(public.profiles[0], shape=replace(public.profiles[0].shape, W=0))
    assert windows_at_once(edge, card("H100")) == names(edge, card("H100")) == 0


def test_names__of_cards_in_a_class_below_their_own__earn_no_more_than_their_work(public: Economy) -> None:
    """Credit goes with the work: a card under several names earns what it does within the deadline, at most."""
    for profile in earning(public):
        for machine in CARDS:
            done = names(profile, machine) * profile.work
            assert done <= machine.macs * profile.deadline


def test_baiting__where_an_answer_pays_more_than_an_epoch__pays() -> None:
    dear = changed(ROOT / "deployments" / "sepolia.yml", proofs={"unitBond": "5e18"})
    assert baiting_gain(dear, dear.profiles[0], 1) > 0
    assert "edge: baiting a watcher" in failing(dear)


def test_self_demands__that_price_a_watcher_out__cost_more_than_the_stake(economy: Economy) -> None:
    for profile in economy.profiles:
        count = demands_to_price_out(economy, profile)
        bounty = economy.bounty * profile.stake
        assert row_loss(economy, profile, count - 1) < bounty * 1.001 <= row_loss(economy, profile, count) * 1.001
        assert self_demand_cost(economy, profile, count) > profile.stake


def test_demand__at_a_base_fee_above_the_reference__costs_in_proportion() -> None:
    path = ROOT / "deployments" / "base-mainnet.yml"
    cheap, dear = load(path), changed(path, assumptions={"gasPriceGwei": 0.5})
    profile = cheap.profiles[0]
    assert row_reward(dear, profile) == pytest.approx(10 * row_reward(cheap, profile))
    below = changed(path, assumptions={"gasPriceGwei": 0.005})
    assert row_reward(below, profile) == row_reward(cheap, profile)


def test_dark__with_emission_and_holdback_of_nothing__would_pay(economy: Economy) -> None:
    poor = replace(economy, max_per_credit=0.0)
    assert dark_gain(poor, economy.profiles[0], 1.0, 0, 0.5) > 0  # what is measured with the next epoch


def test_load__of_a_file_that_lacks_a_section__says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("network: x\n")
    with pytest.raises(BadParameters, match="epochs"):
        load(path)


def test_load__of_a_profile_off_the_rules__says_which(tmp_path: Path) -> None:
    data = yaml.safe_load((ROOT / "deployments" / "local.yml").read_text())
    data["profiles"][0]["W"] = 9
    path = tmp_path / "x.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(BadParameters, match="W = 9"):
        load(path)


def test_line_plot__of_lines__draws_each_once() -> None:
    text = line_plot("t", "x", "y", [0, 1], {"a<b": [1, 2], "c": [-1, 0]})
    assert text.count("<polyline") == 2
    assert "a&lt;b" in text
