"""Downtime that validators attested, given back to the renter of a lease."""

import ape
import pytest
from support.epochs import run_epoch
from support.lettings import owed

HOUR = 3600
RATE = 10  # base units a second
HOLDBACK = 2 * HOUR + 5400


@pytest.fixture
def leased(letting):
    """A lease over epochs 1 to 5, and reports that say how long the device was up."""
    letting.open(deposit=400_000)
    letting.network.chain.pending_timestamp = letting.network.start_of(0) + 3_500
    letting.start()
    return letting


def attested(letting, number, uptime, flags=2):
    device = letting.device
    return run_epoch(letting.network, number, letting.network.devices, {device.id: flags}, {device.id: uptime})


def refund(letting, epoch):
    return letting.escrow.refundDowntime(
        letting.lease_id, *epoch.proof(letting.device), sender=letting.network.accounts[41]
    )


def test_refund_downtime__attested_epoch__seconds_down_go_back(leased):
    epoch = attested(leased, 1, 7_500)
    leased.network.go_to(leased.network.start_of(2))
    refund(leased, epoch)
    assert leased.escrow.refundable(leased.lease_id) == 900 * RATE
    leased.escrow.refund(leased.lease_id, leased.renter, sender=leased.renter)
    with ape.reverts(leased.escrow.LeaseEscrow_NothingDue):
        leased.escrow.refund(leased.lease_id, leased.renter, sender=leased.renter)


def test_downtime_refunded_twice__same_epoch__refused(leased):
    epoch = attested(leased, 1, 7_500)
    leased.network.go_to(leased.network.start_of(2))
    refund(leased, epoch)
    with ape.reverts(leased.escrow.LeaseEscrow_EpochOutOfOrder, epoch=1, next=2):
        refund(leased, epoch)


def test_refund_downtime__epoch_not_over__outside(leased):
    epoch = attested(leased, 1, 7_500)
    with ape.reverts(leased.escrow.LeaseEscrow_EpochOutsideLease, epoch=1):
        refund(leased, epoch)


def test_refund_downtime__epoch_that_began_before_the_lease__outside(leased):
    leaf, proof = leased.epoch.proof(leased.device)
    leased.network.go_to(leased.network.start_of(2))
    with ape.reverts(leased.escrow.LeaseEscrow_EpochOutsideLease, epoch=0):
        leased.escrow.refundDowntime(leased.lease_id, leaf, proof, sender=leased.renter)


def test_refund_downtime__up_all_the_time_or_not_leased__refused(leased):
    up = attested(leased, 1, 10_000)
    leased.network.go_to(leased.network.start_of(2))
    with ape.reverts(leased.escrow.LeaseEscrow_NoDowntime, uptimeBps=10_000):
        refund(leased, up)
    free = attested(leased, 2, 5_000, flags=1)
    leased.network.go_to(leased.network.start_of(3))
    with ape.reverts(leased.escrow.LeaseEscrow_NotLeasedInReport, flags=1):
        refund(leased, free)


def test_refund_downtime__after_claims_may_have_passed__too_old(leased):
    epoch = attested(leased, 1, 7_500)
    closes = leased.network.start_of(1) + HOLDBACK
    leased.network.go_to(closes + 1)
    with ape.reverts(leased.escrow.LeaseEscrow_DowntimeTooOld, epoch=1, closedAt=closes):
        refund(leased, epoch)


def test_a_provider_who_goes_dark_instead_of_leaving__beyond_max_downtime__renter_free_with_the_bond(leased):
    for number in (1, 2):
        epoch = attested(leased, number, 0)
        leased.network.go_to(leased.network.start_of(number + 1))
        refund(leased, epoch)
    assert leased.lease.forfeited == leased.lease.bond
    leased.escrow.end(leased.lease_id, sender=leased.renter)
    due = 400_000 - leased.escrow.streamed(leased.lease_id) + 2 * HOUR * RATE + 36_000
    assert leased.escrow.refundable(leased.lease_id) == due
    leased.network.go_to(leased.lease.stop + HOLDBACK)
    with ape.reverts(leased.escrow.LeaseEscrow_NothingDue):
        leased.escrow.returnBond(leased.lease_id, leased.provider, sender=leased.provider)
    leased.escrow.refund(leased.lease_id, leased.renter, sender=leased.renter)
    leased.escrow.claim(leased.lease_id, leased.provider, sender=leased.provider)
    assert leased.network.TestToken.balanceOf(leased.escrow) == owed(leased)
    assert owed(leased) == leased.escrow.fees(leased.network.TestToken)
