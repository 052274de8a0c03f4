"""Profiles and devices."""

import ape
import pytest
from support.network import key

from assay.protocol.signing import address_of

GOOD = (256, 256, 4096, 8, 256, 64, 2, 8000, 1, 1000, 10**21)


def test_enrol__device_signed__active_and_staked(network):
    device = network.devices[0]
    row = network.DeviceRegistry.device(device.id)
    assert (row.provider, row.deviceKey) == (network.accounts[20], address_of(device.private_key))
    assert (row.profile, row.status) == (2, 1)
    assert network.DeviceRegistry.activeProvider(device.id) == network.accounts[20]
    assert network.DeviceRegistry.enrolNonce(row.deviceKey) == 1


def test_job_hash__as_the_off_chain_package__equal(network):
    seed = b"\4" * 32
    assert bytes(network.DeviceRegistry.jobHash(2, seed)) == network.profile(2).job_hash(seed)
    assert bytes(network.DeviceRegistry.jobHash(1, seed)) == network.profile(1).job_hash(seed)


def test_enrol__twice__refused(network):
    device, provider = network.devices[0], network.accounts[20]
    network.stake(provider, 10**21)
    signature = network.enrol_signature(provider, device.private_key, 2, b"\0" * 32)
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_AlreadyEnrolled, deviceId=device.id):
        network.DeviceRegistry.enrol(
            address_of(device.private_key), 2, b"\0" * 32, "", b"\0" * 32, signature, sender=provider
        )


@pytest.mark.parametrize("fault", ["other provider", "other profile", "other key", "old nonce", "garbage"])
def test_enrol__signature_of_something_else__refused(network, fault):
    provider, private_key, spec = network.accounts[22], key("new"), b"\6" * 32
    network.stake(provider, 10**22)
    signature = network.enrol_signature(provider, private_key, 2, spec)
    profile_id, named = 2, address_of(private_key)
    if fault == "other provider":
        signature = network.enrol_signature(network.accounts[23], private_key, 2, spec)
    elif fault == "other profile":
        profile_id = 1
    elif fault == "other key":
        named = address_of(key("another"))
    elif fault == "old nonce":
        network.enrol(provider, "new")
        provider = network.accounts[23]
        signature = b"".join([signature])
    else:
        signature = b"\1" * 64
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_BadSignature):
        network.DeviceRegistry.enrol(named, profile_id, spec, "", b"\0" * 32, signature, sender=provider)


def test_a_key_sold_to_another_provider__enrolled_there__another_device(network):
    device = network.devices[0]
    buyer = network.accounts[23]
    network.stake(buyer, 10**21)
    signature = network.enrol_signature(buyer, device.private_key, 2, b"\6" * 32)
    network.DeviceRegistry.enrol(address_of(device.private_key), 2, b"\6" * 32, "", b"\0" * 32, signature, sender=buyer)
    sold = network.DeviceRegistry.deviceIdOf(buyer, address_of(device.private_key))
    assert bytes(sold) != device.id
    assert network.DeviceRegistry.activeProvider(device.id) == network.accounts[20]


def test_enrol__without_stake__insufficient(network):
    provider, private_key = network.accounts[24], key("poor")
    signature = network.enrol_signature(provider, private_key, 2, b"\6" * 32)
    with ape.reverts(network.StakeManager.StakeManager_InsufficientStake, free=0, needed=10**21):
        network.DeviceRegistry.enrol(address_of(private_key), 2, b"\6" * 32, "", b"\0" * 32, signature, sender=provider)


@pytest.mark.parametrize("profile_id", [0, 3])
def test_enrol__unknown_profile__refused(network, profile_id):
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_UnknownProfile, id=profile_id):
        network.DeviceRegistry.enrol(
            address_of(key("x")), profile_id, b"\0" * 32, "", b"\0" * 32, b"", sender=network.accounts[20]
        )
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_UnknownProfile, id=profile_id):
        network.DeviceRegistry.jobHash(profile_id, b"\0" * 32)


def test_enrol__zero_key_or_endless_endpoint__refused(network):
    provider = network.accounts[20]
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_ZeroKey):
        network.DeviceRegistry.enrol("0x" + "00" * 20, 2, b"", "", b"", b"", sender=provider)
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_EndpointTooLong, length=257, limit=256):
        network.DeviceRegistry.setEndpoint(network.devices[0].id, "x" * 257, b"", sender=provider)


def test_set_endpoint__by_another_or_for_nothing__refused(network, stranger):
    device = network.devices[0]
    network.DeviceRegistry.setEndpoint(device.id, "https://new.example", b"\3" * 32, sender=device.provider)
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_NotProvider, caller=stranger.address):
        network.DeviceRegistry.setEndpoint(device.id, "", b"", sender=stranger)
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_UnknownDevice):
        network.DeviceRegistry.setEndpoint(b"\1" * 32, "", b"", sender=stranger)


def test_retire__stake__free_after_the_proof_window(network):
    device, registry = network.devices[2], network.DeviceRegistry
    with ape.reverts(registry.DeviceRegistry_NotActive, status=1):
        registry.releaseStake(device.id, sender=network.accounts[40])
    registry.retire(device.id, sender=device.provider)
    with ape.reverts(registry.DeviceRegistry_NotActive, status=2):
        registry.retire(device.id, sender=device.provider)
    free_from = registry.releasableFrom(device.id)
    assert free_from >= network.now + network.parameters.epochs.proofWindow
    with ape.reverts(registry.DeviceRegistry_StillProvable, releasableAt=free_from):
        registry.releaseStake(device.id, sender=network.accounts[40])
    network.go_to(free_from)
    registry.releaseStake(device.id, sender=network.accounts[40])
    assert network.StakeManager.freeStake(device.provider) == 10**21
    with ape.reverts(registry.DeviceRegistry_StakeReleased):
        registry.releaseStake(device.id, sender=network.accounts[40])


def test_release_stake__unknown_device__refused(network):
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_UnknownDevice):
        network.DeviceRegistry.releaseStake(b"\1" * 32, sender=network.accounts[40])


def test_views__unknown_ids__zero_state(network):
    registry = network.DeviceRegistry
    assert registry.device(b"\1" * 32).status == 0
    assert registry.profile(99).M == 0
    assert registry.activeProvider(b"\1" * 32) == "0x" + "00" * 20
    assert registry.keyOf(b"\1" * 32) == "0x" + "00" * 20
    assert registry.jobOf(b"\1" * 32, b"\0" * 32)[1] == 0
    assert registry.releasableFrom(b"\1" * 32) == 0


def test_mark_slashed__by_anyone_but_fraud_proofs__refused(network, stranger):
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_NotFraudProofs, caller=stranger.address):
        network.DeviceRegistry.markSlashed(network.devices[0].id, sender=stranger)


@pytest.mark.parametrize(
    ("place", "what", "value"),
    [
        (0, "M", 0), (0, "M", 3), (0, "M", 1 << 21), (1, "N", 48), (1, "N", 1 << 21), (2, "K", 0), (2, "K", 96),
        (2, "K", 65_600), (3, "T", 0), (4, "chunk", 16), (4, "chunk", 96), (4, "chunk", 512), (5, "k", 0),
        (6, "W", 9), (7, "deadlineMs", 0), (10, "stake", 0),
    ],
)  # fmt: skip
def test_add_profile__off_the_rules__refused_with_the_value(network, place, what, value):
    profile = list(GOOD)
    profile[place] = value
    parts = [network.Authority, network.StakeManager, network.EpochOracle, network.FraudProofs]
    with ape.reverts(network.DeviceRegistry.DeviceRegistry_BadProfile, what=what, value=value):
        network.bystander.deploy(network.project.DeviceRegistry, *parts, [tuple(profile)])
