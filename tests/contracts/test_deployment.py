"""Deployed by the script: resumable, refused where it cannot be right, and checked against its parameters."""

import json

import pytest
from support.parameters import parameters_for

from scripts._deployment.checks import differences
from scripts._deployment.execution import DeploymentFailed, deploy
from scripts._deployment.parameters import BadParameters, Parameters, load


@pytest.fixture
def parameters(accounts):
    return parameters_for(accounts[:3])


def run(parameters, project, chain, account, path):
    return deploy(parameters, project, chain.provider, account, path)


def test_deploy__all_of_it__nothing_differs(parameters, project, chain, accounts, tmp_path):
    data = run(parameters, project, chain, accounts[50], tmp_path / "a.json")
    assert data["complete"]
    assert differences(parameters, project, chain.provider, data) == []
    assert json.loads((tmp_path / "a.json").read_text()) == data


def test_check__other_parameters__named(parameters, project, chain, accounts, tmp_path):
    data = run(parameters, project, chain, accounts[50], tmp_path / "a.json")
    changed = parameters.model_dump()
    changed["stakes"]["bountyBps"] = 500
    found = differences(Parameters.model_validate(changed), project, chain.provider, data)
    assert found == ["StakeManager.bountyBps: should be 500, is 1000"]


def test_deploy__failed_half_way__goes_on_where_it_stopped(parameters, project, chain, accounts, tmp_path):
    class Failing:
        """The deployer, gone after four contracts."""

        def __init__(self, account):
            self.account, self.address, self.left = account, account.address, 4

        def deploy(self, *arguments):
            if self.left == 0:
                raise ConnectionError("gone")
            self.left -= 1
            return self.account.deploy(*arguments)

    path = tmp_path / "a.json"
    with pytest.raises(ConnectionError):
        run(parameters, project, chain, Failing(accounts[51]), path)
    assert not json.loads(path.read_text())["complete"]
    data = run(parameters, project, chain, accounts[51], path)
    assert data["complete"]
    assert differences(parameters, project, chain.provider, data) == []


def test_deploy__account_used_meanwhile__refused(parameters, project, chain, accounts, tmp_path):
    class Busy:
        def __init__(self, account):
            self.account, self.address = account, account.address

        def deploy(self, *arguments):
            instance = self.account.deploy(*arguments)
            self.account.transfer(self.account, 1)
            return instance

    with pytest.raises(DeploymentFailed, match="used for something else"):
        run(parameters, project, chain, Busy(accounts[52]), tmp_path / "a.json")


def test_deploy__other_chain_or_other_parameters__refused(parameters, project, chain, accounts, tmp_path):
    other = parameters.model_dump()
    other["chainId"] = 1
    with pytest.raises(DeploymentFailed, match="the chain is 31337"):
        run(Parameters.model_validate(other), project, chain, accounts[50], tmp_path / "a.json")
    run(parameters, project, chain, accounts[50], tmp_path / "a.json")
    other = parameters.model_dump()
    other["seats"]["idleEpochs"] = 4
    with pytest.raises(DeploymentFailed, match="other parameters"):
        run(Parameters.model_validate(other), project, chain, accounts[50], tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [("stakes: {bountyBps: 1001}", "less than or equal"), ("epochs: {genesis: soon}", ""), ("- 1", "mapping"),
     ("token: {cap: 1.5}", "whole"), ("governance: {guardian: here}", "address"), ("surprise: 1", "surprise")],
)  # fmt: skip
def test_parameters__malformed__say_what_and_where(tmp_path, text, message):
    path = tmp_path / "p.yml"
    path.write_text(text)
    with pytest.raises(BadParameters, match=message):
        load("local", path).epochs.at(0)


def test_parameters__unknown_network__names_the_known(tmp_path):
    with pytest.raises(BadParameters, match="local"):
        load("nowhere")


@pytest.mark.parametrize("network", ["local", "sepolia", "base-mainnet"])
def test_shipped_parameters__sizes__make_honesty_pay(network):
    p = load(network)
    fees = p.assumptions.gasPriceGwei * 1e-9 * p.assumptions.tokensPerEther * 10**18
    bounty = p.stakes.bountyBps / 10_000
    per_epoch = p.rewards.maxPerCredit
    for profile in p.profiles:
        proof_gas = 230_000 + 31 * profile.K
        assert bounty * profile.stake >= 2 * proof_gas * fees
        assert profile.stake > 100 * per_epoch * profile.credit / profile.k
        assert p.seats.seatStake >= 100 * profile.stake
        answer_gas = 150_000 + 16 * 4 * profile.N
        assert p.proofs.demandBond >= 2 * answer_gas * fees
    assert p.leases.holdback >= 2 * p.epochs.epochLength + p.epochs.reportBy
