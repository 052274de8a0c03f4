"""Deployed by the script: resumable, refused where it cannot be right, and checked against its parameters."""

import copy
import json

import pytest
from eth_utils import keccak
from support.parameters import parameters_for

from scripts._deployment import execution
from scripts._deployment.checks import differences
from scripts._deployment.execution import DeploymentFailed, deploy
from scripts._deployment.parameters import BadParameters, Parameters
from scripts._deployment.plan import Step, steps

ROLES = (b"PROPOSER_ROLE", b"EXECUTOR_ROLE")


@pytest.fixture
def parameters(accounts):
    return parameters_for(accounts[:3])


def run(parameters, project, chain, account, path):
    return deploy(parameters, project, chain.provider, account, path)


@pytest.fixture(scope="module")
def complete(project, chain, accounts, tmp_path_factory):
    """A deployment that nothing is wrong with; each test works on a snapshot of it."""
    path = tmp_path_factory.mktemp("complete") / "a.json"
    parameters = parameters_for(accounts[:3])
    return parameters, run(parameters, project, chain, accounts[50], path), path


def found_wrong(complete, project, chain, **changes):
    parameters, data, _ = complete
    return differences(parameters.model_copy(update=changes), project, chain.provider, copy.deepcopy(data))


def test_deploy__all_of_it__nothing_differs(complete, project, chain):
    _, data, path = complete
    assert data["complete"]
    assert found_wrong(complete, project, chain) == []
    assert json.loads(path.read_text()) == data


def test_check__other_parameters__named(complete, project, chain):
    parameters, _, _ = complete
    stakes = parameters.stakes.model_copy(update={"bountyBps": 500})
    found = found_wrong(complete, project, chain, stakes=stakes)
    assert found[0].startswith("StakeManager: transaction 0x")
    assert found[0].endswith("carried other arguments than the parameters ask for")
    assert found[1:] == ["StakeManager.bountyBps: should be 500, is 1000"]


def governed(project, chain, accounts, data, name, call, *arguments):
    """A call by the timelock, as governance could make it."""
    timelock = data["contracts"]["Timelock"]["address"]
    chain.provider.make_request("anvil_setBalance", [timelock, hex(10**18)])
    contract = getattr(project, name).at(data["contracts"][name]["address"], fetch_from_explorer=False)
    return getattr(contract, call)(*arguments, sender=accounts[timelock])


@pytest.mark.parametrize(
    ("name", "call", "arguments", "where"),
    [
        ("Authority", "grantRole", (0, "DEPLOYER", 0), "Authority: who administers"),
        ("Authority", "grantRole", (1, "DEPLOYER", 0), "Authority: who guards"),
        ("Authority", "grantRole", (7, "DEPLOYER", 0), "Authority: holders of other roles"),
        ("Authority", "revokeRole", (1, "GUARDIAN"), "Authority: who guards"),
        ("Timelock", "grantRole", (b"PROPOSER_ROLE", "DEPLOYER"), "Timelock: holders of PROPOSER_ROLE"),
        ("Timelock", "grantRole", (b"EXECUTOR_ROLE", "DEPLOYER"), "Timelock: holders of EXECUTOR_ROLE"),
        ("Timelock", "grantRole", (bytes(32), "DEPLOYER"), "Timelock: holders of DEFAULT_ADMIN_ROLE"),
        ("Timelock", "grantRole", (b"\1" * 32, "DEPLOYER"), "Timelock: holders of other roles"),
    ],
)
def test_check__role_that_the_file_does_not_give__named(
    complete, project, chain, accounts, name, call, arguments, where
):
    _, data, _ = complete
    who = {"DEPLOYER": accounts[50].address, "GUARDIAN": accounts[1].address}
    values = [who.get(a, a) if isinstance(a, str) else keccak(a) if a in ROLES else a for a in arguments]
    governed(project, chain, accounts, data, name, call, *values)
    found = found_wrong(complete, project, chain)
    assert len(found) == 1 and found[0].startswith(where), found


def test_check__function_opened_to_another_role__named(complete, project, chain, accounts):
    _, data, _ = complete
    escrow = data["contracts"]["LeaseEscrow"]["address"]
    set_fee = keccak(b"setFee(uint16)")[:4]
    governed(project, chain, accounts, data, "Authority", "setTargetFunctionRole", escrow, [set_fee], 1)
    where = f"Authority: role of LeaseEscrow, function 0x{set_fee.hex()}"
    assert found_wrong(complete, project, chain) == [f"{where}: should be 0, is 1"]


@pytest.mark.parametrize(
    ("name", "call", "arguments", "where"),
    [
        ("StakeManager", "setBounty", (900,), "StakeManager.bountyBps: should be 1000, is 900"),
        ("LeaseEscrow", "setFee", (300,), "LeaseEscrow.feeBps: should be 200, is 300"),
        ("Timelock", "updateDelay", (60,), "Timelock.getMinDelay: should be 3600, is 60"),
    ],
)
def test_check__value_changed_since__named(complete, project, chain, accounts, name, call, arguments, where):
    _, data, _ = complete
    governed(project, chain, accounts, data, name, call, *arguments)
    assert found_wrong(complete, project, chain) == [where]


def test_check__profile_closed_since__named_though_it_earned_nothing(complete, project, chain, accounts):
    _, data, _ = complete
    governed(project, chain, accounts, data, "DeviceRegistry", "closeProfile", 2)
    found = found_wrong(complete, project, chain)
    assert found[0].startswith("profile 2 (tiny): should be [32, 64, 64, 3, 32, 8, 2, 8000, 1,")
    assert found[1:] == ["profile 2 (tiny) closed: should be False, is True"]


def test_check__minter_handed_over_since__named(complete, project, chain, accounts):
    """The way to a later version: whoever checks this one must see that its emission has an end."""
    _, data, _ = complete
    later, addresses = accounts[50], {name: entry["address"] for name, entry in data["contracts"].items()}
    parameters = complete[0]
    terms = (parameters.rewards.providerBps, parameters.rewards.maxPerCredit, 3600, 10_800)
    wired = [addresses[name] for name in ("Authority", "NetworkToken", "EpochOracle", "Timelock")]
    minter = later.deploy(project.RewardsDistributor, *wired, terms).address
    governed(project, chain, accounts, data, "NetworkToken", "handOver", minter, 5)
    assert found_wrong(complete, project, chain) == [
        f"NetworkToken.minter: should be {addresses['RewardsDistributor']!r}, is {minter!r}",
        f"RewardsDistributor.lastEpoch: should be {2**64 - 1}, is 5",
    ]


def test_check__wired_to_another_contract__named(parameters, project, chain, accounts, tmp_path, monkeypatch):
    def miswired(p, genesis):
        """As planned, but OpeningDemands is told another token."""
        plan = steps(p, genesis)
        at = next(i for i, step in enumerate(plan) if step.name == "OpeningDemands")
        right = plan[at].arguments
        plan[at] = Step("OpeningDemands", lambda a: [a["TestToken"] if x == a["NetworkToken"] else x for x in right(a)])
        return plan

    monkeypatch.setattr(execution, "steps", miswired)
    data = run(parameters, project, chain, accounts[53], tmp_path / "a.json")
    monkeypatch.undo()
    found = differences(parameters, project, chain.provider, data)
    assert [line.split(": ")[0] for line in found] == ["OpeningDemands", "OpeningDemands.token"]


def test_check__contract_of_other_code__named(complete, project, chain):
    """What was compiled has changed since, or something else was deployed."""
    parameters, data, _ = complete
    swapped = copy.deepcopy(data)
    swapped["contracts"]["TestToken"]["transaction"] = data["contracts"]["NetworkToken"]["transaction"]
    swapped["contracts"]["Timelock"]["transaction"] = None
    swapped["contracts"]["Authority"]["transaction"] = "0x" + "11" * 32
    found = differences(parameters, project, chain.provider, swapped)
    assert [line.split(": ")[0] for line in found] == ["Timelock", "Authority", "TestToken"]
    assert "no creating transaction" in found[0]
    assert "not on this chain" in found[1]
    assert "other code" in found[2]


def test_check__recorded_elsewhere_or_not_there__named(complete, project, chain):
    parameters, data, _ = complete
    moved = copy.deepcopy(data)
    moved["contracts"]["LeaseEscrow"]["address"] = "0x" + "11" * 20
    found = differences(parameters, project, chain.provider, moved)
    assert found[0].startswith("LeaseEscrow: recorded at 0x1111")
    assert any("no code at" in line for line in found)


def test_deploy__killed_after_each_transaction__ends_as_if_it_never_was(parameters, project, chain, accounts, tmp_path):
    """Once mined and before it is written down: the worst moment, at every contract."""

    class Killed(BaseException):
        pass

    class Mortal:
        address = accounts[51].address

        def deploy(self, *arguments):
            accounts[51].deploy(*arguments)
            raise Killed

    path = tmp_path / "a.json"
    deaths = 0
    while not (path.exists() and json.loads(path.read_text())["complete"]):
        try:
            run(parameters, project, chain, Mortal(), path)
        except Killed:
            deaths += 1
    data = json.loads(path.read_text())
    assert deaths == len(data["contracts"]) == 12
    for entry in data["contracts"].values():
        receipt = chain.provider.get_receipt(entry["transaction"])
        assert (receipt.contract_address, receipt.block_number, receipt.gas_used) == (
            entry["address"], entry["block"], entry["gas"],
        )  # fmt: skip
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


def test_deploy__placeholders_left__nothing_sent(parameters, project, chain, accounts, tmp_path):
    governance = parameters.governance.model_copy(update={"guardian": "0x000000000000000000000000000000000000dEaD"})
    nonce = accounts[54].nonce
    with pytest.raises(BadParameters, match=r"governance\.guardian"):
        run(parameters.model_copy(update={"governance": governance}), project, chain, accounts[54], tmp_path / "a.json")
    assert accounts[54].nonce == nonce and not (tmp_path / "a.json").exists()
