"""Python and the contracts make the same bytes of everything that both encode."""

import dataclasses

import pytest
from support.epochs import Epoch, run_epoch
from support.faults import SALT
from support.lettings import Letting

from assay.chain.contracts.leases import offer_argument
from assay.proof.fraud_calldata import commit_hash
from assay.protocol.encoding import demand_id, device_id
from assay.protocol.keccak import keccak
from assay.protocol.leases import stored_offer_hash
from assay.protocol.messages import Offer
from assay.protocol.signing import address_of
from tests.unit.protocol.test_leases import VECTORS

SIGNING = ("EpochOracle", "ValidatorSet", "DeviceRegistry")


@pytest.mark.parametrize("vector", VECTORS["offers"], ids=lambda v: v["name"])
def test_offer_hash__vectors__as_in_python(network, vector):
    offer = Offer.from_json(vector["offer"])
    assert bytes(network.LeaseEscrow.offerHash(offer_argument(offer))) == offer.struct_hash()
    assert "0x" + offer.struct_hash().hex() == vector["structHash"]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Offer)])
def test_offer_hash__any_field_changed__another_hash_in_both(network, field):
    offer = Offer.from_json(VECTORS["offers"][1]["offer"])
    value = getattr(offer, field)
    other = (
        value[:-1] if isinstance(value, tuple) else value - 1 if isinstance(value, int) else network.accounts[9].address
    )
    changed = dataclasses.replace(offer, **{field: other})
    assert bytes(network.LeaseEscrow.offerHash(offer_argument(changed))) == changed.struct_hash() != offer.struct_hash()


@pytest.mark.parametrize("name", SIGNING)
def test_domain__of_each_contract_that_verifies__as_in_python(network, name):
    seen = network.contracts[name].eip712Domain()
    ours = network.domain(name)
    assert (seen.name, seen.version, seen.chainId, seen.verifyingContract) == (
        ours.name,
        ours.version,
        ours.chain_id,
        ours.verifying_contract,
    )


def test_domain_separator__of_the_oracle__as_in_python(network):
    assert bytes(network.EpochOracle.domainSeparator()) == network.domain("EpochOracle").separator


def test_lease_start__of_one_device_and_of_two__the_renter_s_word_is_taken(measured, network):
    """The digest is seen by no view: a signature that recovers to the renter is the proof of it."""
    for devices in (network.devices[:1], network.devices[:2]):
        letting = Letting(network, measured, devices, network.accounts[30]).change(min_duration=0)
        letting.open()
        letting.start()
        lease = letting.lease
        assert (lease.status, lease.devices) == (2, len(devices))
        assert bytes(lease.offerHash) == stored_offer_hash(letting.terms.struct_hash())
        assert lease.openedBlock == letting.lease.openedBlock > 0
        network.LeaseEscrow.end(letting.lease_id, sender=letting.renter)


def test_device_leaves_and_rewards__of_a_report__proven_by_our_trees(measured, network):
    a, b = (account.address for account, _ in network.seats[:2])
    epoch = run_epoch(network, 1, network.devices, rewards=[(a, 5), (b, 7)])
    for device in network.devices:
        leaf, proof = epoch.proof(device)
        assert network.EpochOracle.verifyDevice(leaf, proof)
        assert not network.EpochOracle.verifyDevice((*leaf[:5], leaf[5] + 1, *leaf[6:]), proof)
    network.go_to(network.RewardsDistributor.claimableAt(1))
    account = network.seats[1][0]
    before = network.NetworkToken.balanceOf(account)
    network.RewardsDistributor.claim(1, 7, epoch.rewards.proof(1), account, sender=account)
    assert network.NetworkToken.balanceOf(account) == before + 7


@pytest.mark.parametrize("vector", VECTORS["demands"], ids=lambda v: str(v["index"]))
def test_demand_id__vectors__as_in_python(network, vector):
    values = bytes.fromhex(vector["deviceId"][2:]), vector["epoch"], vector["isRow"], vector["index"]
    assert bytes(network.OpeningDemands.demandIdOf(*values)) == demand_id(*values)
    assert "0x" + demand_id(*values).hex() == vector["demandId"]


def test_device_and_job__of_an_enrolled_device__as_in_python(network):
    device = network.devices[0]
    key = address_of(device.private_key)
    assert bytes(network.DeviceRegistry.deviceIdOf(device.provider, key)) == device_id(device.provider.address, key)
    assert bytes(network.DeviceRegistry.jobHash(device.profile.id, b"\5" * 32)) == device.profile.job_hash(b"\5" * 32)


def test_commit_hash__of_a_proof_s_calldata__as_in_python(measured, network):
    epoch = Epoch(network, 1).open()
    a, b = (epoch.commit(network.devices[0], result_root=keccak(bytes([n]))).struct for n in (1, 2))
    data = bytes(network.FraudProofs.proveTwoCommitments.encode_input(a, b, SALT))
    reporter = network.accounts[40].address
    assert bytes(network.FraudProofs.commitHashOf(reporter, data)) == commit_hash(reporter, data)
