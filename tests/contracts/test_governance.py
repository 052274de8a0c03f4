"""Who may change what, within which bounds, after which delay."""

import ape
import pytest
from support.network import key

from assay.protocol.signing import address_of

DAY = 86_400
ZERO32 = b"\0" * 32


def by_timelock(network, contract, method, *arguments):
    """Schedule, wait, execute; the execution's receipt."""
    timelock, proposer = network.Timelock, network.accounts[0]
    data = getattr(contract, method).encode_input(*arguments)
    delay = timelock.getMinDelay()
    timelock.schedule(contract, 0, data, ZERO32, ZERO32, delay, sender=proposer)
    network.pass_time(delay + 1)
    return timelock.execute(contract, 0, data, ZERO32, ZERO32, sender=proposer)


RESTRICTED = [
    ("DeviceRegistry", "addProfile", ((256, 256, 4096, 8, 256, 64, 2, 8000, 1, 1000, 10**21),)),
    ("StakeManager", "setBounty", (500,)),
    ("LeaseEscrow", "setFee", (100,)),
    ("LeaseEscrow", "listToken", ("0x" + "11" * 20, 1)),
    ("LeaseEscrow", "delistToken", ("0x" + "11" * 20,)),
    ("LeaseEscrow", "collectFees", ("0x" + "11" * 20, "0x" + "22" * 20)),
    ("LeaseEscrow", "recoverSurplus", ("0x" + "11" * 20, "0x" + "22" * 20)),
    ("LeaseEscrow", "pauseEntry", (1,)),
    ("DeviceRegistry", "pauseEntry", (1,)),
    ("ValidatorSet", "resumeEntry", ()),
    ("RewardsDistributor", "veto", (0,)),
]


@pytest.mark.parametrize(("contract", "method", "arguments"), RESTRICTED)
def test_the_deployer_keeps_nothing__every_restricted_call__unauthorized(network, contract, method, arguments):
    target, deployer = getattr(network, contract), network.accounts[0]
    with ape.reverts(target.AccessManagedUnauthorized, caller=deployer.address):
        getattr(target, method)(*arguments, sender=deployer)


def test_authority__roles__timelock_administers_guardian_guards(network, guardian):
    authority, deployer = network.Authority, network.accounts[0]
    assert authority.hasRole(0, network.Timelock)[0]
    assert not authority.hasRole(0, deployer)[0]
    assert authority.hasRole(1, guardian)[0]
    with ape.reverts(network.LeaseEscrow.AccessManagedUnauthorized, caller=guardian.address):
        network.LeaseEscrow.setFee(1, sender=guardian)


def test_fee__by_timelock_within_bounds__for_leases_to_come(network):
    by_timelock(network, network.LeaseEscrow, "setFee", 500)
    assert network.LeaseEscrow.feeBps() == 500
    with ape.reverts():
        by_timelock(network, network.LeaseEscrow, "setFee", 501)
    assert network.LeaseEscrow.feeBps() == 500


def test_bounty__by_timelock_within_bounds__set(network):
    by_timelock(network, network.StakeManager, "setBounty", 500)
    assert network.StakeManager.bountyBps() == 500
    with ape.reverts():
        by_timelock(network, network.StakeManager, "setBounty", 1001)


def test_profile__by_timelock__new_id_old_ones_unchanged(network):
    before = network.DeviceRegistry.profile(1)
    by_timelock(network, *[network.DeviceRegistry, *RESTRICTED[0][1:2], *RESTRICTED[0][2]])
    assert network.DeviceRegistry.profileCount() == 3
    assert network.DeviceRegistry.profile(1) == before


def test_tokens__listed_delisted_listed_again__fee_floor_stays(network):
    escrow, project, owner = network.LeaseEscrow, network.project, network.accounts[0]
    token = owner.deploy(project.TestToken, "Other", "OTH", 8)
    assert not escrow.tokenAllowed(token)
    by_timelock(network, escrow, "listToken", token.address, 7)
    assert escrow.tokenAllowed(token)
    by_timelock(network, escrow, "delistToken", token.address)
    assert not escrow.tokenAllowed(token)
    by_timelock(network, escrow, "listToken", token.address, 9)
    assert escrow.feeFloorOf(token) == 7


def test_donation__to_the_escrow__recovered_and_nothing_else(network):
    escrow, token, receiver = network.LeaseEscrow, network.TestToken, network.accounts[42]
    token.transfer(escrow, 500, sender=network.accounts[30])
    before = token.balanceOf(receiver)
    by_timelock(network, escrow, "recoverSurplus", token.address, receiver.address)
    assert token.balanceOf(receiver) - before == 500
    with ape.reverts():
        by_timelock(network, escrow, "recoverSurplus", token.address, receiver.address)


def test_pause__entry_only__fourteen_days_then_not_for_thirty(network, guardian):
    registry, provider = network.DeviceRegistry, network.accounts[22]
    with ape.reverts(registry.PauseTooLong, duration=14 * DAY + 1, longest=14 * DAY):
        registry.pauseEntry(14 * DAY + 1, sender=guardian)
    with ape.reverts(registry.PauseTooLong, duration=0):
        registry.pauseEntry(0, sender=guardian)
    registry.pauseEntry(14 * DAY, sender=guardian)
    until = registry.pausedUntil()
    signature = network.enrol_signature(provider, key("late"), 2, ZERO32)
    with ape.reverts(registry.EntryPausedUntil, until=until):
        registry.enrol(address_of(key("late")), 2, ZERO32, "", ZERO32, signature, sender=provider)
    registry.retire(network.devices[0].id, sender=network.devices[0].provider)  # an exit
    network.go_to(until)
    network.enrol(provider, "late")
    with ape.reverts(registry.PauseTooSoon, **{"from": registry.nextPauseFrom()}):
        registry.pauseEntry(1, sender=guardian)
    network.go_to(until + 30 * DAY)
    registry.pauseEntry(1, sender=guardian)


def test_resume__by_the_guardian__entry_open_at_once(network, guardian):
    network.ValidatorSet.pauseEntry(DAY, sender=guardian)
    account = network.accounts[14]
    network.stake(account, 10**23)
    signature = network.seat_signature(account, key("seat 4"))
    with ape.reverts(network.ValidatorSet.EntryPausedUntil):
        network.ValidatorSet.join(address_of(key("seat 4")), "", b"", signature, sender=account)
    network.ValidatorSet.resumeEntry(sender=guardian)
    network.ValidatorSet.join(address_of(key("seat 4")), "", b"", signature, sender=account)
