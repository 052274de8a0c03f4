"""Emission: its schedule, claims and their delay, the veto; and the token it mints."""

import ape
import pytest
from support.epochs import run_epoch

TOKEN = 10**18
HOUR = 3600


@pytest.fixture(scope="module")
def earned(enrolled):
    """Epoch 0 reported 50 tokens for provider 20 and 10 for seat 0, before each test."""
    network = enrolled
    rewards = [(network.accounts[20].address, 50 * TOKEN), (network.accounts[10].address, 10 * TOKEN)]
    epoch = run_epoch(network, 0, network.devices, rewards=rewards)
    return epoch, int(network.EpochOracle.rewardsOf(0).reportedAt) + HOUR


def claim(network, epoch, index=0, cumulative=None, sender=20, receiver=None):
    _, amount = epoch.rewards.values[index]
    sender = network.accounts[sender]
    return network.RewardsDistributor.claim(
        epoch.number, cumulative or amount, epoch.rewards.proof(index), receiver or sender, sender=sender
    )


def test_claim__after_the_delay__minted_to_the_receiver(network, earned):
    epoch, claimable = earned
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_TooEarly, epoch=0, claimableAt=claimable):
        claim(network, epoch)
    network.go_to(claimable)
    receiver, supply = network.accounts[41], network.NetworkToken.totalSupply()
    before = network.NetworkToken.balanceOf(receiver)
    claim(network, epoch, receiver=receiver)
    assert network.NetworkToken.balanceOf(receiver) - before == 50 * TOKEN
    assert network.NetworkToken.totalSupply() - supply == 50 * TOKEN
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_NothingDue, cumulative=50 * TOKEN):
        claim(network, epoch)


def test_claim__cumulative__one_proof_covers_all_epochs_before(network, earned):
    epoch, claimable = earned
    network.go_to(claimable)
    claim(network, epoch)
    account = network.accounts[20].address
    later = run_epoch(
        network, 2, network.devices, rewards=[(account, 80 * TOKEN), (network.accounts[10].address, 10 * TOKEN)]
    )
    network.pass_time(HOUR + 1)
    before = network.NetworkToken.balanceOf(account)
    claim(network, later)
    assert network.NetworkToken.balanceOf(account) - before == 30 * TOKEN


def test_claim__of_another_or_another_amount__not_in_report(network, earned):
    epoch, claimable = earned
    network.go_to(claimable)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_NotInReport):
        claim(network, epoch, sender=21)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_NotInReport):
        claim(network, epoch, cumulative=51 * TOKEN)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_ZeroReceiver):
        claim(network, epoch, receiver="0x" + "00" * 20)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_NoReport, epoch=3):
        network.RewardsDistributor.claim(3, 1, [], network.accounts[20], sender=network.accounts[20])


def test_veto__within_the_delay__nothing_is_paid_against_that_root(network, earned, guardian, stranger):
    epoch, claimable = earned
    with ape.reverts(network.RewardsDistributor.AccessManagedUnauthorized, caller=stranger.address):
        network.RewardsDistributor.veto(0, sender=stranger)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_NoReport, epoch=1):
        network.RewardsDistributor.veto(1, sender=guardian)
    network.RewardsDistributor.veto(0, sender=guardian)
    network.go_to(claimable)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_Vetoed, epoch=0):
        claim(network, epoch)


def test_veto__after_the_delay__too_late(network, earned, guardian):
    _, claimable = earned
    network.go_to(claimable)
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_VetoTooLate, epoch=0, claimableAt=claimable):
        network.RewardsDistributor.veto(0, sender=guardian)


def test_schedule__sums_and_pools__as_the_curve_says(network):
    rewards = network.RewardsDistributor
    provider, validator, per_credit = rewards.emission(0)
    assert (provider, validator, per_credit) == (80 * TOKEN, 20 * TOKEN, 5 * TOKEN)
    assert rewards.scheduleLimit(0) == 100 * TOKEN
    assert rewards.scheduleLimit(99_999) == 100 * TOKEN * 100_000
    assert rewards.scheduleLimit(100_000) == 100 * TOKEN * 100_000 + 50 * TOKEN
    assert rewards.scheduleLimit(2**64 - 1) + network.NetworkToken.minted() <= network.NetworkToken.cap()
    assert sum(rewards.emission(2**64 - 1)[:2]) == 0


def test_mint__by_anyone_but_the_distributor__refused(network, stranger):
    with ape.reverts(network.NetworkToken.NetworkToken_NotMinter, caller=stranger.address):
        network.NetworkToken.mint(stranger, 1, sender=stranger)


def test_token__genesis_beyond_the_cap__refused(network):
    allocation = [(network.accounts[0].address, 11)]
    with ape.reverts(network.NetworkToken.NetworkToken_CapExceeded, minted=11, cap=10):
        network.bystander.deploy(network.project.NetworkToken, "A", "A", 10, network.accounts[0], allocation)
    with ape.reverts(network.NetworkToken.NetworkToken_ZeroAddress):
        network.bystander.deploy(network.project.NetworkToken, "A", "A", 10, "0x" + "00" * 20, [])


@pytest.mark.parametrize(
    ("change", "what"),
    [({1: 0}, "eraEpochs"), ({2: 10_001}, "providerBps"), ({4: 0}, "claimDelay"), ({4: 16_201}, "claimDelay"),
     ({0: 10**27}, "initialEmission")],
)  # fmt: skip
def test_distributor__schedule_off_its_bounds__refused(network, change, what):
    schedule = [10**20, 100_000, 8_000, 5 * TOKEN, HOUR]
    for place, value in change.items():
        schedule[place] = value
    with ape.reverts(network.RewardsDistributor.RewardsDistributor_BadBound, what=what):
        network.bystander.deploy(
            network.project.RewardsDistributor, network.Authority, network.NetworkToken, network.EpochOracle,
            tuple(schedule),
        )  # fmt: skip
