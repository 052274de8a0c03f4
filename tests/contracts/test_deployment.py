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


def test_check__roles_that_the_file_does_not_give__each_named(complete, project, chain, accounts):
    _, data, _ = complete
    deployer = accounts[50].address
    for name, role in (
        ("Authority", 0),
        ("Authority", 1),
        ("Authority", 7),
        ("Timelock", keccak(b"PROPOSER_ROLE")),
        ("Timelock", keccak(b"EXECUTOR_ROLE")),
        ("Timelock", bytes(32)),
        ("Timelock", b"\1" * 32),
    ):
        delay = (0,) if name == "Authority" else ()
        governed(project, chain, accounts, data, name, "grantRole", role, deployer, *delay)
    found = found_wrong(complete, project, chain)
    assert [line.split(": should be ")[0] for line in found] == [
        "Authority: who administers",
        "Authority: who guards",
        "Authority: holders of other roles",
        "Timelock: holders of DEFAULT_ADMIN_ROLE",
        "Timelock: holders of PROPOSER_ROLE",
        "Timelock: holders of EXECUTOR_ROLE",
        "Timelock: holders of other roles",
    ]
    assert all(deployer in line.split(", is ")[1] for line in found)


def test_check__changed_since_by_governance__each_named(complete, project, chain, accounts):
    """A guardian taken away, a function opened, values set, a profile closed, and the emission handed over: whoever
    checks must see that it has an end."""
    parameters, data, _ = complete
    addresses = {name: entry["address"] for name, entry in data["contracts"].items()}
    terms = (parameters.rewards.providerBps, parameters.rewards.maxPerCredit, 3600, 10_800)
    wired = [addresses[name] for name in ("Authority", "NetworkToken", "EpochOracle", "Timelock")]
    minter = accounts[50].deploy(project.RewardsDistributor, *wired, terms).address
    set_fee = keccak(b"setFee(uint16)")[:4]
    for name, call, *arguments in (
        ("Authority", "revokeRole", 1, accounts[1].address),
        ("Authority", "setTargetFunctionRole", addresses["LeaseEscrow"], [set_fee], 1),
        ("StakeManager", "setBounty", 900),
        ("Timelock", "updateDelay", 60),
        ("DeviceRegistry", "closeProfile", 2),
        ("NetworkToken", "handOver", minter, 5),
    ):
        governed(project, chain, accounts, data, name, call, *arguments)
    deadline = parameters.profiles[1].deadlineMs
    shape = f"32, 64, 64, 3, 32, 8, 2, {deadline}"
    stake = parameters.profiles[1].stake
    assert found_wrong(complete, project, chain) == [
        f"NetworkToken.minter: should be {addresses['RewardsDistributor']!r}, is {minter!r}",
        f"profile 2 (tiny): should be [{shape}, 1, 100000, {stake}], is [{shape}, 0, 100000, {stake}]",
        "profile 2 (tiny) closed: should be False, is True",
        "StakeManager.bountyBps: should be 1000, is 900",
        f"RewardsDistributor.lastEpoch: should be {2**64 - 1}, is 5",
        "Timelock.getMinDelay: should be 3600, is 60",
        f"Authority: who guards: should be ['{accounts[1].address}'], is []",
        f"Authority: role of LeaseEscrow, function 0x{set_fee.hex()}: should be 0, is 1",
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
            entry["address"],
            entry["block"],
            entry["gas"],
        )
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
