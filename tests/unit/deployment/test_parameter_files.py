"""What a parameter file must not ask for, each with the value that is wrong, before anything is deployed."""

import copy
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts._deployment.bounds import blocks_to_draw, out_of_bounds
from scripts._deployment.files import FOLDER, checked, load, network_of, refuse_placeholders
from scripts._deployment.parameters import BadParameters, Parameters
from scripts._deployment.plan import predicted, steps

NETWORKS = sorted(path.stem for path in FOLDER.glob("*.yml"))
PUBLIC = [name for name in NETWORKS if name != "local"]
SEPOLIA = yaml.safe_load((FOLDER / "sepolia.yml").read_text())


def changed(*changes, base=SEPOLIA):
    """A file's data with some values replaced, each named by its path: "rewards.claimDelay"."""
    data = copy.deepcopy(base)
    for path, value in changes:
        *folders, last = path.split(".")
        where = data
        for folder in folders:
            where = where[int(folder)] if folder.isdigit() else where[folder]
        where[last] = value
    return data


def wrong(*changes, base=SEPOLIA):
    return out_of_bounds(Parameters.model_validate(changed(*changes, base=base)))


@pytest.mark.parametrize("network", NETWORKS)
def test_load__shipped_file__within_all_bounds(network):
    assert load(network).network == network


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ([("governance.timelockDelay", 0)], "governance.timelockDelay: 0 s; decisions must be seen 172800 s ahead"),
        ([("governance.timelockDelay", 172_799)], "governance.timelockDelay: 172799 s; decisions"),
        ([("governance.timelockDelay", 345_601)], "timelockDelay: 345601 s is above governance.longestDelay, 345600 s"),
        ([("stakes.slashHold", 345_600)], "stakes.slashHold: 345600 s; .* too late to give slashed stake back"),
        ([("rewards.claimDelay", 518_400)], "longClaimDelay: 518400 s is not above rewards.claimDelay, 518400 s"),
        ([("rewards.longClaimDelay", 345_600)], "longClaimDelay: 345600 s; .* too late to veto a report"),
        (
            [("rewards.longClaimDelay", 599_401)],
            "599401 s and epochs.reportBy, 5400 s, .* epochs.proofWindow, 604800 s",
        ),
        ([("proofs.answerWindow", 86_399)], "proofs.answerWindow: 86399 s, at least 86400"),
        ([("stakes.unbondingPeriod", 704_880)], "unbondingPeriod: 704880 s must be above 704880"),
        ([("epochs.openBy", 0)], "epochs.openBy: 0 s is not between 0 and epochs.sealBy, 1800 s"),
        ([("epochs.openBy", 1800)], "epochs.openBy: 1800 s is not between"),
        ([("epochs.drawBy", 3600)], "epochs.drawBy: 3600 s is not between 0 and epochs.epochLength, 3600 s"),
        ([("epochs.reportBy", 2700)], "epochs.reportBy: 2700 s is not between epochs.drawBy, 2700 s, and 7200 s"),
        ([("epochs.reportBy", 7201)], "epochs.reportBy: 7201 s"),
        ([("epochs.drawDelay", 0)], "epochs.drawDelay: 0 blocks"),
        ([("epochs.drawBy", 2687)], "drawBy: 887 s after .* 64 blocks of 12 s, takes 888 s with 10 to spare"),
        ([("epochs.sealBy", 1980), ("epochs.drawBy", 2340)], "drawBy: 360 s after epochs.sealBy; .* void the epoch"),
        ([("chain.blockTime", 12.5)], "64 blocks of 12.5 s, takes 925 s"),
        ([("registry.minStake", 2 * 10**22)], "registry.minStake: 2\\d+ is above registry.maxStake"),
        ([("profiles.1.stake", 10**22 + 1)], r"profiles.1 \(datacenter\): stake 1\d+1 is not between"),
        ([("profiles.1.stake", 5 * 10**21 - 1)], r"profiles.1 \(datacenter\): stake 49\d+ is not between"),
        ([("profiles.0.deadlineMs", 60_001)], r"profiles.0 \(edge\): deadlineMs 60001 is not between"),
        ([("profiles.0.deadlineMs", 0)], r"profiles.0 \(edge\): deadlineMs 0 is not between"),
        ([("profiles.0.credit", 21)], r"profiles.0 \(edge\): credit 21 asks for 504\d+ multiplications .* are 494\d+"),
        ([("profiles.0.W", 0)], r"profiles.0 \(edge\): credit 20 with W 0: emission is for shown memory only"),
        ([("rewards.eraEpochs", 0)], "rewards.eraEpochs: 0"),
        ([("token.cap", 5 * 10**26)], "token.cap: 5\\d+ is below allocations of 5\\d+ and an emission of 7\\d+"),
        ([("leases.holdback", 12_599)], "leases.holdback: 12599 s is not between 12600 s"),
        ([("leases.holdback", 62 * 3600)], "leases.holdback: 223200 s; refunds of only 61 epochs"),
        ([("leases.holdback", 608_400)], "leases.holdback: 608400 s is not between 12600 s, .* and 608400 s"),
        ([("leases.maxDowntime", 0)], "leases.maxDowntime: 0 s"),
    ],
)
def test_bounds__value_outside__named_with_its_bound(changes, complaint):
    found = wrong(*changes)
    assert any(re.search(complaint, line) for line in found), found


@pytest.mark.parametrize(
    "changes",
    [
        [("governance.timelockDelay", 172_800)],
        [("stakes.slashHold", 345_601)],
        [("rewards.longClaimDelay", 345_601)],
        [("rewards.longClaimDelay", 599_400)],
        [("stakes.unbondingPeriod", 704_881)],
        [("epochs.drawBy", 2688)],
        [("profiles.0.stake", 5 * 10**21)],
        [("leases.holdback", 62 * 3600 - 1)],
    ],
)
def test_bounds__value_at_its_bound__accepted(changes):
    assert wrong(*changes) == []


@pytest.mark.parametrize("network", NETWORKS)
def test_shipped_parameters__sizes__make_honesty_pay(network):
    p = load(network)
    token_price = p.assumptions.tokensPerEther * 10**18
    fees = p.assumptions.gasPriceGwei * 1e-9 * token_price
    bounty = p.stakes.bountyBps / 10_000
    epochs_provable = p.epochs.proofWindow // p.epochs.epochLength
    for profile in p.profiles:
        reward = p.rewards.maxPerCredit * profile.credit
        proof_gas = 230_000 + 31 * profile.K
        assert bounty * profile.stake >= 2 * proof_gas * fees
        assert profile.stake > 100 * reward / profile.k
        assert 0.9 * profile.stake >= reward * epochs_provable
    assert p.seats.seatStake >= 100 * p.registry.maxStake
    gas = p.proofs.referenceBaseFee * 1e-18 * token_price
    # A round leaf, and a row whose bytes cost 16 gas beside the work of checking them, or 40 with next to no work.
    assert 2 * 76_000 * gas <= p.proofs.unitBond <= 4 * 76_000 * gas
    for profile in p.profiles:
        row = 4 * profile.N
        answer = max(76_000 + 18 * row, 25_000 + 40 * row) * gas
        assert 1.5 * answer <= p.proofs.unitBond * (512 + profile.N) / 512 <= 4 * answer


def test_bounds__micro_that_earns__local_chains_only():
    """Attack: a profile that takes milliseconds of a processor, under six hundred names a core."""
    earning = [("profiles.2.credit", 1), ("registry.workPerCredit", 1)]
    found = wrong(*earning)
    assert len(found) == 1
    assert "profiles.2 (micro): credit 1, but 268435456 multiplications a second" in found[0]
    assert wrong(*earning, ("chainId", 31337), ("governance.timelockDelay", 0)) == []


@given(st.integers(1, 256), st.floats(0.25, 15), st.integers(1, 3000), st.integers(1, 3599))
def test_bounds__any_draw_delay_and_block_time__a_seal_in_the_last_second_can_be_drawn(delay, seconds, seal, draw):
    data = changed(
        ("epochs.drawDelay", delay), ("chain.blockTime", seconds), ("epochs.sealBy", seal), ("epochs.drawBy", draw)
    )
    fits = seal + blocks_to_draw(delay) * seconds <= draw
    complained = any("who seals late could void" in line for line in out_of_bounds(Parameters.model_validate(data)))
    assert complained != fits
    assert blocks_to_draw(delay) >= delay + 2


def test_checked__several_values_wrong__all_named_at_once():
    with pytest.raises(BadParameters) as refused:
        checked(changed(("governance.timelockDelay", 0), ("stakes.slashHold", 0), ("profiles.0.W", 0)), "here.yml")
    text = str(refused.value)
    assert text.startswith("here.yml:\n")
    assert all(key in text for key in ("governance.timelockDelay", "stakes.slashHold", "profiles.0"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stakes: {bountyBps: 1001}", "stakes.bountyBps: .*less than or equal"),
        ("- 1", "mapping"),
        ("token: {cap: 1.5}", "whole"),
        ("governance: {guardian: here}", "address"),
        ("surprise: 1", "surprise"),
        ("proofs: {demandBond: 1}", "demandBond"),
        ("proofs: {unitBond: 0}", "proofs.unitBond"),
        ("proofs: {referenceBaseFee: 0}", "proofs.referenceBaseFee"),
        ("registry: {workPerCredit: 0}", "registry.workPerCredit"),
        ("chain: {blockTime: 0}", "chain.blockTime"),
        ("governance: {timelockDelay: 61}", "timelockDelay: 61 s is above"),
    ],
)
def test_load__malformed_override__says_what_and_where(tmp_path, text, message):
    path = tmp_path / "p.yml"
    path.write_text(text)
    with pytest.raises(BadParameters, match=message):
        load("local", path)


def test_genesis__neither_time_nor_now_plus__refused():
    epochs = Parameters.model_validate(changed(("epochs.genesis", "soon"))).epochs
    with pytest.raises(BadParameters, match="'soon' is neither"):
        epochs.at(0)


def test_genesis__time_or_now_plus__that_time():
    assert Parameters.model_validate(changed(("epochs.genesis", 5))).epochs.at(100) == 5
    assert Parameters.model_validate(changed(("epochs.genesis", "now + 30"))).epochs.at(100) == 130


def test_load__unknown_network__names_the_known():
    with pytest.raises(BadParameters, match="local"):
        load("nowhere")


def test_network_of__chain_of_a_file_and_of_none__name_or_the_known():
    assert [network_of(n) for n in (31337, 11155111, 8453)] == ["local", "sepolia", "base-mainnet"]
    with pytest.raises(BadParameters, match=r"no file in deployments is for chain 1; known: .*sepolia \(11155111\)"):
        network_of(1)


@pytest.mark.parametrize("network", PUBLIC)
def test_placeholders__of_the_shipped_files__refused_by_name(network):
    with pytest.raises(BadParameters, match=r"governance\.guardian: 0x0+dEaD is a placeholder") as error:
        refuse_placeholders(load(network))
    for where in ("token.allocations.0.account", "governance.proposers.0", "governance.executors.0"):
        assert where in str(error.value)
    assert "ASSAY_PARAMETERS" in str(error.value)


def test_placeholders__all_filled_in__accepted():
    refuse_placeholders(load("local"))


def test_steps__of_every_network__each_contract_told_the_address_it_will_have():
    """Who is told whose address, in the order of the constructors."""
    p = load("local")
    plan = steps(p, 1000)
    at = predicted(plan, "0x" + "11" * 20, 5)
    names = {address: name for name, address in at.items()}
    told = {s.name: [names[a] for a in s.arguments(at) if isinstance(a, str) and a in names] for s in plan}
    assert [s.name for s in plan] == [
        "Timelock", "Authority", "NetworkToken", "EpochOracle", "ValidatorSet", "DeviceRegistry", "FraudProofs",
        "OpeningDemands", "StakeManager", "RewardsDistributor", "TestToken", "LeaseEscrow",
    ]  # fmt: skip
    assert told["DeviceRegistry"] == [
        "Authority",
        "StakeManager",
        "EpochOracle",
        "FraudProofs",
        "OpeningDemands",
        "LeaseEscrow",
    ]
    assert told["StakeManager"][-2:] == ["EpochOracle", "Timelock"]
    assert told["RewardsDistributor"] == ["Authority", "NetworkToken", "EpochOracle", "Timelock"]
    assert told["NetworkToken"] == ["Authority", "RewardsDistributor"]
    assert told["OpeningDemands"] == ["EpochOracle", "DeviceRegistry", "FraudProofs", "NetworkToken"]
    assert told["LeaseEscrow"] == ["Authority", "EpochOracle", "DeviceRegistry", "StakeManager"]


def test_steps__lease_token_that_is_nobody_s__refused():
    p = Parameters.model_validate(changed(("leases.tokens", [{"token": "Doubloon", "feeFloor": 1}])))
    plan = steps(p, 1000)
    with pytest.raises(BadParameters, match="'Doubloon' is no address and not deployed here"):
        plan[-1].arguments(predicted(plan, "0x" + "11" * 20, 0))
