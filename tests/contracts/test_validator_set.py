"""Seats: joined, outbid, left, evicted."""

import ape
import pytest
from support.epochs import Epoch, run_epoch
from support.network import key

from assay.protocol.signing import address_of

SEAT = 10**23


def seats_of(network, set_id):
    return [(s.account, s.signer) for s in network.ValidatorSet.seatsOf(set_id)]


def test_join__before_the_first_epoch__at_once_in_order(network):
    expected = [(a.address, address_of(k)) for a, k in network.seats]
    assert [(s.account, s.signer) for s in network.ValidatorSet.currentSeats()] == expected
    Epoch(network, 0).open()
    assert seats_of(network, 1) == expected
    assert network.ValidatorSet.seatAt(1, 3) == network.ValidatorSet.seatsOf(1)[3]
    assert network.ValidatorSet.seatAt(1, 4).account == "0x" + "00" * 20
    assert network.ValidatorSet.seatAt(0, 0).account == "0x" + "00" * 20


@pytest.mark.parametrize("set_id", [0, 1, 2])
def test_seats_of__set_never_fixed__unknown(network, set_id):
    with ape.reverts(network.ValidatorSet.ValidatorSet_UnknownSet, setId=set_id):
        network.ValidatorSet.seatsOf(set_id)


def test_join__in_an_epoch__takes_effect_two_epochs_later(network):
    run_epoch(network, 0, network.devices)
    network.join(network.accounts[14], "seat 4")
    for number, expected in ((1, 4), (2, 5)):
        Epoch(network, number).open()
        assert network.EpochOracle.epochState(number).seats == expected
    assert network.EpochOracle.epochState(2).setId == 2
    assert network.ValidatorSet.member(network.accounts[14]).status == 2


def test_a_set_changed_in_mid_epoch__join_and_leave__epoch_keeps_its_own(network):
    epoch = Epoch(network, 0).open()
    network.join(network.accounts[14], "seat 4")
    network.ValidatorSet.leave(sender=network.seats[0][0])
    committed = [epoch.commit(d) for d in network.devices]
    epoch.seal(committed, seats=[0, 1, 2])
    assert network.EpochOracle.epochState(0).phase == 2


def test_a_seat_removed_but_still_counted__later_epoch__quorum_and_order_of_the_new_set(network):
    Epoch(network, 0).open()
    network.ValidatorSet.leave(sender=network.seats[0][0])
    network.go_to(network.start_of(2))
    epoch = Epoch(network, 2).open()
    assert network.EpochOracle.epochState(2).seats == 3
    gone = network.seats.copy()
    try:
        network.seats[:] = [gone[3], gone[1], gone[2]]  # the last takes the place of the one that left
        epoch.seal([epoch.commit(network.devices[0])], seats=[0, 1, 2])
    finally:
        network.seats[:] = gone


def test_at_most_max_one_changes_an_epoch__four_leave__one_an_epoch(network):
    Epoch(network, 0).open()
    left = []
    for account, _ in network.seats[:3]:
        receipt = network.ValidatorSet.leave(sender=account)
        left.append(next(iter(receipt.decode_logs(network.ValidatorSet.SeatLeft))).effectiveEpoch)
    assert left == [2, 3, 4]


def test_release_stake__after_leaving__not_before_the_proof_window(network):
    Epoch(network, 0).open()
    account = network.seats[0][0]
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotSeated):
        network.ValidatorSet.releaseStake(account, sender=account)
    network.ValidatorSet.leave(sender=account)
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotSeated):
        network.ValidatorSet.leave(sender=account)
    free_from = network.start_of(2) + network.parameters.epochs.proofWindow
    with ape.reverts(network.ValidatorSet.ValidatorSet_StillProvable, releasableAt=free_from):
        network.ValidatorSet.releaseStake(account, sender=account)
    network.go_to(free_from)
    network.ValidatorSet.releaseStake(account, sender=network.accounts[40])
    assert network.StakeManager.freeStake(account) == SEAT
    assert network.ValidatorSet.member(account).status == 0


@pytest.mark.parametrize("fault", ["taken", "other account", "old nonce", "zero"])
def test_join__signer_that_did_not_agree__refused(network, fault):
    account = network.accounts[14]
    network.stake(account, SEAT)
    signer, error = key("seat 9"), network.ValidatorSet.ValidatorSet_BadSignature
    signature = network.seat_signature(account, signer)
    named = address_of(signer)
    if fault == "taken":
        named, error = address_of(network.seats[0][1]), network.ValidatorSet.ValidatorSet_SignerUsed
    elif fault == "other account":
        signature = network.seat_signature(network.accounts[15], signer)
    elif fault == "old nonce":
        signature = b"\1" * 64
    else:
        named, error = "0x" + "00" * 20, network.ValidatorSet.ValidatorSet_ZeroAddress
    with ape.reverts(error):
        network.ValidatorSet.join(named, "", b"", signature, sender=account)


def test_join__signer_of_a_seat_that_left__unique_for_ever(network):
    account, private_key = network.seats[0]
    network.ValidatorSet.leave(sender=account)
    other = network.accounts[14]
    network.stake(other, SEAT)
    signature = network.seat_signature(other, private_key)
    with ape.reverts(network.ValidatorSet.ValidatorSet_SignerUsed):
        network.ValidatorSet.join(address_of(private_key), "", b"", signature, sender=other)


def test_join__seated_already__refused(network):
    account = network.seats[0][0]
    signature = network.seat_signature(account, key("second"))
    with ape.reverts(network.ValidatorSet.ValidatorSet_AlreadySeated):
        network.ValidatorSet.join(address_of(key("second")), "", b"", signature, sender=account)


@pytest.fixture
def full(network):
    """All 31 seats taken; seat 4 has raised its stake."""
    for i in range(4, 31):
        account = network.accounts[10 + i]
        network.seats.append((account, network.join(account, f"seat {i}")))
    yield network
    del network.seats[4:]


def test_outbid__all_seats_taken__lowest_goes_for_110_percent(full):
    account = full.accounts[9]
    for i in range(1, 31):
        raised = full.seats[i][0]
        full.stake(raised, 10**18)
        full.ValidatorSet.raiseStake(10**18, sender=raised)
    full.stake(account, SEAT * 11 // 10 - 1)
    signature = full.seat_signature(account, key("bidder"))
    needed = SEAT * 11 // 10
    with ape.reverts(full.ValidatorSet.ValidatorSet_Full, seats=31, lowestStake=SEAT, needed=needed):
        full.ValidatorSet.join(address_of(key("bidder")), "", b"", signature, sender=account)
    full.stake(account, 1)
    full.ValidatorSet.join(address_of(key("bidder")), "", b"", signature, sender=account)
    planned = full.ValidatorSet.plannedSeats()
    assert len(planned) == 31
    assert account in planned
    assert full.seats[0][0] not in planned


def test_evict__in_no_seal_and_no_report__evicted_unslashed(network):
    idle = network.seats[3][0]
    for number in range(6):
        run_epoch(network, number, network.devices[:1])  # seats 0 to 2 sign
        if number < 5:
            with ape.reverts(network.ValidatorSet.ValidatorSet_NotIdle):
                network.ValidatorSet.evict(idle, sender=network.accounts[40])
        network.go_to(network.start_of(number + 1))
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotIdle):
        network.ValidatorSet.evict(network.seats[0][0], sender=network.accounts[40])
    network.ValidatorSet.evict(idle, sender=network.accounts[40])
    assert idle not in network.ValidatorSet.plannedSeats()
    assert network.StakeManager.account(idle).active == SEAT


def test_check_in__idle_in_a_stall__not_evicted(network):
    idle = network.seats[3][0]
    for number in range(6):
        run_epoch(network, number, network.devices[:1])
        network.go_to(network.start_of(number + 1))
    network.ValidatorSet.checkIn(sender=idle)
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotIdle):
        network.ValidatorSet.evict(idle, sender=network.accounts[40])


def test_snapshot__by_anyone_but_the_oracle__refused(network, stranger):
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotOracle, caller=stranger.address):
        network.ValidatorSet.snapshot(0, sender=stranger)
    with ape.reverts(network.ValidatorSet.ValidatorSet_NotFraudProofs, caller=stranger.address):
        network.ValidatorSet.markSlashed(network.seats[0][0], sender=stranger)


def test_everyone_leaves__last_epoch_over__every_stake_comes_back(network):
    Epoch(network, 0).open()
    for account, _ in network.seats:
        network.ValidatorSet.leave(sender=account)
    network.go_to(network.start_of(6) + network.parameters.epochs.proofWindow)
    for account, _ in network.seats:
        network.ValidatorSet.releaseStake(account, sender=account)
        network.StakeManager.requestWithdrawal(SEAT, sender=account)
    network.pass_time(network.StakeManager.unbondingPeriod() + 1)
    for account, _ in network.seats:
        network.StakeManager.withdraw(account, sender=account)
        assert network.StakeManager.account(account).active == 0
