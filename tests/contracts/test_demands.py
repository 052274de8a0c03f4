"""Openings demanded on-chain, answered or withheld."""

import ape
import pytest
from support.epochs import Committed, Epoch
from support.faults import round_of, row_of, sealed

from assay.proof.sampling import samples

STAKE = 10**21
BOND = 10**20
DAY = 86_400


@pytest.fixture(scope="module")
def asked(enrolled, accounts):
    """Epoch 0, in which device 0 is sealed and drawn, before each test; and a stranger who may ask."""
    network, stranger = enrolled, accounts[40]
    epoch = Epoch(network, 0).open()
    committed = epoch.commit(network.devices[0], prove=True)
    epoch.seal([committed, epoch.commit(network.devices[1])]).draw()
    network.NetworkToken.approve(network.FraudProofs, 10 * BOND, sender=stranger)
    return epoch, committed


def demand(network, asked, is_row=True, index=0, sender=None):
    epoch, committed = asked
    network.FraudProofs.demand(0, sealed(epoch, committed), is_row, index, sender=sender or network.accounts[40])
    return network.FraudProofs.demandCount()


def test_demand__row_answered_by_anyone__bond_to_the_answerer(network, asked):
    epoch, committed = asked
    demand_id = demand(network, asked, index=3)
    t, i = samples(epoch.rho, committed.device.id, committed.device.profile)[3]
    made = network.FraudProofs.demandOf(demand_id)
    assert (made.t, made.i) == (t, i)
    answerer = network.accounts[41]
    row, path = row_of(committed.proof, t, i)
    network.FraudProofs.answerRow(demand_id, round_of(committed.proof, t), row, path, sender=answerer)
    assert network.FraudProofs.bondOf(answerer) == BOND
    before = network.NetworkToken.balanceOf(answerer)
    network.FraudProofs.collectBonds(answerer, sender=answerer)
    assert network.NetworkToken.balanceOf(answerer) - before == BOND
    assert network.StakeManager.account(committed.device.provider).openDemands == 0
    with ape.reverts(network.FraudProofs.FraudProofs_NoDemand):
        network.FraudProofs.expireDemand(demand_id, sender=answerer)


def test_demand__round_leaf_answered__closed(network, asked):
    _, committed = asked
    demand_id = demand(network, asked, is_row=False, index=2)
    network.FraudProofs.answerRound(demand_id, round_of(committed.proof, 2), sender=network.accounts[41])
    assert network.FraudProofs.openDemandOf(committed.device.id) == 0


def test_withheld_opening__no_answer_in_a_day__device_slashed_bond_back(network, asked, stranger):
    _, committed = asked
    demand_id = demand(network, asked)
    with ape.reverts(network.FraudProofs.FraudProofs_NotExpired):
        network.FraudProofs.expireDemand(demand_id, sender=stranger)
    before = network.StakeManager.account(committed.device.provider).active
    network.pass_time(DAY + 1)
    network.FraudProofs.expireDemand(demand_id, sender=network.accounts[41])
    assert before - network.StakeManager.account(committed.device.provider).active == STAKE
    assert network.FraudProofs.bondOf(stranger) == BOND
    assert network.StakeManager.bountyOf(stranger) == STAKE // 10
    assert network.FraudProofs.proven(4, committed.device.id, 0)


def test_nothing_leaves_while_a_demand_is_open__matured_withdrawal__held(network, asked):
    _, committed = asked
    provider = committed.device.provider
    network.stake(provider, STAKE)
    network.StakeManager.requestWithdrawal(STAKE, sender=provider)
    demand(network, asked)
    network.pass_time(network.StakeManager.unbondingPeriod())
    with ape.reverts(network.StakeManager.StakeManager_DemandOpen, openDemands=1):
        network.StakeManager.withdraw(provider, sender=provider)


def test_demands_for_openings_as_harassment__second_while_one_is_open__refused(network, asked):
    demand_id = demand(network, asked)
    with ape.reverts(network.FraudProofs.FraudProofs_DemandOpen, demandId=demand_id):
        demand(network, asked)


def test_demands_for_openings_as_harassment__third_in_an_epoch__refused(network, asked):
    _, committed = asked
    for _ in range(2):
        demand_id = demand(network, asked, is_row=False, index=0)
        network.FraudProofs.answerRound(demand_id, round_of(committed.proof, 0), sender=network.accounts[41])
    with ape.reverts(network.FraudProofs.FraudProofs_TooManyDemands, epoch=0):
        demand(network, asked)


def test_answer__another_row__refused(network, asked):
    epoch, committed = asked
    demand_id = demand(network, asked, index=0)
    t, i = samples(epoch.rho, committed.device.id, committed.device.profile)[0]
    row, path = row_of(committed.proof, t, (i + 1) % 32)
    with ape.reverts(network.FraudProofs.FraudProofs_BadPath):
        network.FraudProofs.answerRow(demand_id, round_of(committed.proof, t), row, path, sender=network.accounts[41])
    row, path = row_of(committed.proof, t, i)
    with ape.reverts(network.FraudProofs.FraudProofs_ChunkLength, length=252, expected=256):
        network.FraudProofs.answerRow(
            demand_id, round_of(committed.proof, t), row[:-4], path, sender=network.accounts[41]
        )
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="t"):
        network.FraudProofs.answerRow(
            demand_id, round_of(committed.proof, (t + 1) % 3), row, path, sender=network.accounts[41]
        )
    with ape.reverts(network.FraudProofs.FraudProofs_WrongAnswer, isRow=True):
        network.FraudProofs.answerRound(demand_id, round_of(committed.proof, t), sender=network.accounts[41])


def test_a_late_answer__past_the_deadline__refused(network, asked):
    _, committed = asked
    demand_id = demand(network, asked, is_row=False, index=1)
    network.pass_time(DAY + 1)
    with ape.reverts(network.FraudProofs.FraudProofs_AnswerTooLate):
        network.FraudProofs.answerRound(demand_id, round_of(committed.proof, 1), sender=network.accounts[41])


def test_demand__leaf_that_the_device_did_not_sign__framing_refused(network, stranger):
    epoch = Epoch(network, 1).open()
    good = epoch.commit(network.devices[0])
    signature = good.message.sign(network.domain("EpochOracle"), network.devices[1].private_key)
    forged = Committed(good.device, good.message, signature)
    epoch.seal([forged]).draw()
    with ape.reverts(network.FraudProofs.FraudProofs_BadSignature):
        network.FraudProofs.demand(1, sealed(epoch, forged), True, 0, sender=stranger)


def test_demand__row_before_the_draw__not_drawn(network, stranger):
    epoch = Epoch(network, 1).open()
    good = epoch.commit(network.devices[0])
    epoch.seal([good])
    with ape.reverts(network.FraudProofs.FraudProofs_NotDrawn, epoch=1):
        network.FraudProofs.demand(1, sealed(epoch, good), True, 0, sender=stranger)


def test_demand__index_off_the_profile__out_of_range(network, asked):
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="q", value=8, limit=8):
        demand(network, asked, index=8)
    with ape.reverts(network.FraudProofs.FraudProofs_OutOfRange, what="t", value=3, limit=3):
        demand(network, asked, is_row=False, index=3)


def test_demand__two_of_one_epoch_run_out__slashed_once_nothing_stuck(network, asked, stranger):
    _, committed = asked
    first = demand(network, asked)
    network.pass_time(DAY + 1)
    network.FraudProofs.expireDemand(first, sender=stranger)
    assert network.StakeManager.account(committed.device.provider).openDemands == 0
