"""Stakes: deposited, reserved, asked back, slashed."""

import ape
import pytest
from support.epochs import Epoch
from support.faults import prove
from support.parameters import HOUR

STAKE = 10**21


def account(network, who):
    return network.StakeManager.account(who)


def test_deposit__for_another_account__credits_it_and_takes_from_the_caller(network, stranger):
    provider = network.accounts[20]
    before = account(network, provider).active
    network.NetworkToken.approve(network.StakeManager, 5, sender=stranger)
    network.StakeManager.deposit(provider, 5, sender=stranger)
    assert account(network, provider).active == before + 5


@pytest.mark.parametrize(("amount", "who", "error"), [(0, 20, "ZeroAmount"), (1, None, "ZeroAddress")])
def test_deposit__nothing_or_to_nobody__refused(network, stranger, amount, who, error):
    target = network.accounts[who] if who is not None else "0x" + "00" * 20
    with ape.reverts(getattr(network.StakeManager, f"StakeManager_{error}")):
        network.StakeManager.deposit(target, amount, sender=stranger)


def test_permit_front_run__deposit_with_permit__still_deposits(network, stranger):
    token, manager = network.NetworkToken, network.StakeManager
    deadline = network.now + HOUR
    values = {"owner": stranger.address, "spender": manager.address, "value": 7, "nonce": 0, "deadline": deadline}
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    domain = {"name": "Assay", "version": "1", "chainId": 31337, "verifyingContract": token.address}
    kinds = {"Permit": [{"name": "owner", "type": "address"}, {"name": "spender", "type": "address"},
                        {"name": "value", "type": "uint256"}, {"name": "nonce", "type": "uint256"},
                        {"name": "deadline", "type": "uint256"}]}  # fmt: skip
    signed = Account.sign_message(encode_typed_data(domain, kinds, values), private_key=stranger.private_key)
    v, r, s = signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
    token.permit(stranger, manager, 7, deadline, v, r, s, sender=network.accounts[41])  # spent by somebody else
    manager.depositWithPermit(stranger, 7, deadline, v, r, s, sender=stranger)
    assert account(network, stranger).active == 7


def test_withdraw__after_unbonding__paid_to_the_receiver(network, stranger):
    network.stake(stranger, STAKE)
    network.StakeManager.requestWithdrawal(STAKE, sender=stranger)
    unlock = account(network, stranger).unlockAt
    with ape.reverts(network.StakeManager.StakeManager_StillLocked, unlockAt=unlock):
        network.StakeManager.withdraw(stranger, sender=stranger)
    network.go_to(unlock)
    receiver = network.accounts[41]
    before = network.NetworkToken.balanceOf(receiver)
    network.StakeManager.withdraw(receiver, sender=stranger)
    assert network.NetworkToken.balanceOf(receiver) - before == STAKE
    with ape.reverts(network.StakeManager.StakeManager_NoWithdrawal):
        network.StakeManager.withdraw(receiver, sender=stranger)


def test_request_withdrawal__reserved_stake__insufficient(network):
    provider = network.accounts[20]
    assert network.StakeManager.freeStake(provider) == 0
    with ape.reverts(network.StakeManager.StakeManager_InsufficientStake, free=0, needed=1):
        network.StakeManager.requestWithdrawal(1, sender=provider)


def test_request_withdrawal__second__one_pending_an_account(network, stranger):
    network.stake(stranger, STAKE)
    network.StakeManager.requestWithdrawal(1, sender=stranger)
    with ape.reverts(network.StakeManager.StakeManager_WithdrawalPending):
        network.StakeManager.requestWithdrawal(1, sender=stranger)
    with ape.reverts(network.StakeManager.StakeManager_ZeroAmount):
        network.StakeManager.requestWithdrawal(0, sender=stranger)


def test_cancel_withdrawal__pending__active_again(network, stranger):
    with ape.reverts(network.StakeManager.StakeManager_NoWithdrawal):
        network.StakeManager.cancelWithdrawal(sender=stranger)
    network.stake(stranger, STAKE)
    network.StakeManager.requestWithdrawal(STAKE, sender=stranger)
    network.StakeManager.cancelWithdrawal(sender=stranger)
    assert account(network, stranger).active == STAKE
    assert account(network, stranger).unlockAt == 0


def test_a_deposit_by_a_stranger__pending_withdrawal__neither_reset_nor_blocked(network, stranger):
    network.stake(stranger, STAKE)
    network.StakeManager.requestWithdrawal(STAKE, sender=stranger)
    unlock = account(network, stranger).unlockAt
    other = network.accounts[41]
    network.NetworkToken.approve(network.StakeManager, 1, sender=other)
    network.StakeManager.deposit(stranger, 1, sender=other)
    assert account(network, stranger).unlockAt == unlock
    network.go_to(unlock)
    network.StakeManager.withdraw(stranger, sender=stranger)


@pytest.mark.parametrize("matured", [False, True])
def test_leaving_in_front_of_a_slash__pending_stake__is_taken_matured_or_not(network, stranger, matured):
    """A second device's fault reaches what was asked back when the first took the active stake."""
    provider = network.accounts[21]  # one device: stake 10^21, all reserved
    device = network.devices[2]
    network.stake(provider, STAKE)
    network.StakeManager.requestWithdrawal(STAKE, sender=provider)
    if matured:
        network.pass_time(network.StakeManager.unbondingPeriod() + 1)
    epoch = Epoch(network, network.EpochOracle.currentEpoch() + 1).open()
    a, b = epoch.commit(device, b"\1" * 32), epoch.commit(device, b"\2" * 32)
    prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)
    assert account(network, provider).active == 0
    assert account(network, provider).pending == STAKE
    network.go_to(network.start_of(epoch.number + 1))
    epoch = Epoch(network, epoch.number + 1).open()
    a, b = epoch.commit(device, b"\1" * 32), epoch.commit(device, b"\2" * 32)
    prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)
    assert account(network, provider).pending == 0
    assert network.NetworkToken.balanceOf(network.StakeManager) >= network.StakeManager.bountyOf(stranger)


def test_a_slash_that_takes_one_unit_more_than_there_is__less_left__takes_what_is_left(network, stranger):
    """A third fault finds nothing, and takes nothing."""
    device = network.devices[2]
    taken = []
    for number in range(2):
        network.go_to(network.start_of(number) + 1) if number else None
        epoch = Epoch(network, number).open()
        a, b = epoch.commit(device, b"\1" * 32), epoch.commit(device, b"\2" * 32)
        receipt = prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)
        taken.append(next(iter(receipt.decode_logs(network.StakeManager.Slashed))).amount)
    assert taken == [STAKE, 0]
    assert account(network, device.provider).active == 0


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("reserve", (1,), "NotReserver"),
        ("release", (1,), "NotReserver"),
        ("openDemand", (), "NotFraudProofs"),
        ("closeDemand", (), "NotFraudProofs"),
    ],
)
def test_stake_manager__caller_without_the_part__refused(network, stranger, method, arguments, error):
    with ape.reverts(getattr(network.StakeManager, f"StakeManager_{error}"), caller=stranger.address):
        getattr(network.StakeManager, method)(stranger, *arguments, sender=stranger)


def test_slash__by_anyone_but_fraud_proofs__refused(network, stranger):
    with ape.reverts(network.StakeManager.StakeManager_NotFraudProofs, caller=stranger.address):
        network.StakeManager.slash(network.accounts[20], 1, stranger, sender=stranger)


def test_collect_bounty__nothing_earned_or_nobody_named__refused(network, stranger):
    with ape.reverts(network.StakeManager.StakeManager_NothingToCollect):
        network.StakeManager.collectBounty(stranger, sender=stranger)
    with ape.reverts(network.StakeManager.StakeManager_ZeroAddress):
        network.StakeManager.collectBounty("0x" + "00" * 20, sender=stranger)


def test_collect_bounty__after_a_slash__paid_once(network, stranger):
    epoch = Epoch(network, 0).open()
    a, b = epoch.commit(network.devices[2], b"\1" * 32), epoch.commit(network.devices[2], b"\2" * 32)
    prove(network, "proveTwoCommitments", "TwoCommitments", [a.struct, b.struct], stranger)
    before = network.NetworkToken.balanceOf(stranger)
    network.StakeManager.collectBounty(stranger, sender=stranger)
    assert network.NetworkToken.balanceOf(stranger) - before == STAKE // 10
    with ape.reverts(network.StakeManager.StakeManager_NothingToCollect):
        network.StakeManager.collectBounty(stranger, sender=stranger)


def test_constructor__unbonding_not_longer_than_the_windows__refused(network):
    t = network.EpochOracle.timing()
    needed = t.epochLength + t.openBy + t.sealBy + t.drawBy + t.reportBy + t.proofWindow + 86_400
    parts = [network.Authority, network.NetworkToken, network.DeviceRegistry, network.ValidatorSet]
    with ape.reverts(network.StakeManager.StakeManager_UnbondingTooShort, unbonding=needed, needed=needed):
        network.bystander.deploy(
            network.project.StakeManager, *parts, network.FraudProofs, network.EpochOracle, 86_400, needed, 1000
        )
    with ape.reverts(network.StakeManager.StakeManager_BadBounty, bountyBps=1001, limit=1000):
        network.bystander.deploy(
            network.project.StakeManager, *parts, network.FraudProofs, network.EpochOracle, 86_400, needed + 1,
            1001,
        )  # fmt: skip
