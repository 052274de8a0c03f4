"""From a cheat's openings to a slash: what `assay proof fraud` builds is sent as it is, at K = 4,096 and 65,536."""

import json

import pytest
from support.epochs import Epoch
from support.network import CONTRACTS, Network
from support.parameters import SEATS, parameters_for
from typer.testing import CliRunner

from assay.cli.app import app
from assay.proof import openings_file, sampling
from assay.proof.adversaries.skipped_rows import SkippedRows
from assay.proof.statement import JobStatement
from assay.protocol import seeds
from assay.protocol.hexadecimal import to_hex
from assay.protocol.keccak import keccak
from scripts._deployment.execution import deploy
from scripts._deployment.files import checked

RHO = keccak(b"rho")
LENGTHS = [4_096, 65_536]


@pytest.fixture(scope="module")
def long_network(project, chain, accounts, tmp_path_factory):
    """A deployment whose profiles 2 and 3 are small but for K."""
    base = parameters_for(accounts[:45]).model_dump()
    small = {**base["profiles"][1], "M": 32, "N": 64, "T": 3, "chunk": 32, "k": 16, "W": 2}
    base["profiles"] = [base["profiles"][0], *({**small, "name": f"k{K}", "K": K} for K in LENGTHS)]
    parameters = checked(base, "two long profiles")
    data = deploy(
        parameters, project, chain.provider, accounts[5], tmp_path_factory.mktemp("deployment") / "local.json"
    )
    contracts = {
        name: getattr(project, name).at(data["contracts"][name]["address"], fetch_from_explorer=False)
        for name in CONTRACTS
    }
    network = Network(project, chain, accounts, parameters, contracts, data["genesis"])
    for i in range(SEATS):
        account = accounts[10 + i]
        network.seats.append((account, network.join(account, f"seat {i}")))
    network.devices = [network.enrol(accounts[20], f"device {K}", 2 + n) for n, K in enumerate(LENGTHS)]
    return network


@pytest.fixture
def epoch(long_network):
    return Epoch(long_network, 0).open()


def cheated_openings(epoch, device, path):
    """Openings of a prover that skipped half of its rows; the signed commitment they belong to."""
    committed = epoch.commit(device)
    m = committed.message
    beacon = bytes(epoch.oracle.epochState(0).beacon)
    statement = JobStatement(device.profile, 31337, epoch.oracle.address, 0, beacon, device.id, m.nonce_root)
    assert statement.epoch_seed == epoch.seed
    cheat = SkippedRows(0.5, seed=1, threads=1)
    cheat.prepare(device.profile, epoch.seed)
    proof = cheat.prove(seeds.device_seed(epoch.seed, device.id, device.profile.id, m.nonce_root))
    indices = sampling.samples(RHO, device.id, device.profile)
    contents = openings_file.OpeningsFile(statement, proof.result_root, RHO, len(indices), proof.open(indices))
    openings_file.save(path, contents)
    return epoch.commit(device, result_root=proof.result_root)


@pytest.mark.parametrize("length", LENGTHS)
def test_fraud_command__a_cheats_openings__slashed_by_its_calldata(long_network, epoch, tmp_path, length):
    network = long_network
    device = network.devices[LENGTHS.index(length)]
    path = tmp_path / "openings"
    committed = cheated_openings(epoch, device, path)
    reporter = network.accounts[40]
    done = CliRunner().invoke(
        app,
        ["proof", "fraud", "--openings", str(path), "--rho", to_hex(RHO), "--signature", to_hex(committed.signature),
         "--reporter", reporter.address, "-o", "json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    out = json.loads(done.stdout)

    before = network.StakeManager.account(device.provider).active
    gas = []
    for data in (out["commitCalldata"], out["proveCalldata"]):
        network.chain.mine(1)
        transaction = network.chain.provider.network.ecosystem.create_transaction(
            receiver=network.FraudProofs.address, data=bytes.fromhex(data[2:]), gas=9_000_000
        )
        gas.append(reporter.call(transaction).gas_used)
    assert network.FraudProofs.proven(1, device.id, 0)
    assert network.StakeManager.account(device.provider).active < before
    # The command never promises a proof cheaper than it is.
    assert 0.97 * sum(gas) <= out["gasEstimate"] <= 1.2 * sum(gas), (gas, out["gasEstimate"])
