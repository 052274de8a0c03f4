"""Leases: opened on an offer, started, streamed, ended, paid."""

import ape
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from support.epochs import Epoch
from support.lettings import SCALE, offer_values, owed

from assay.protocol.messages import LeaseStart

HOUR = 3600
RATE = 10  # base units a second
HOLDBACK = 2 * HOUR + 5400


@pytest.fixture
def pending(letting):
    letting.open()
    return letting


@pytest.fixture
def active(pending):
    pending.start()
    return pending


def test_open__measured_device_and_signed_offer__money_held_device_free(letting):
    before = letting.balance(letting.renter)
    letting.open(deposit=36_000)
    assert before - letting.balance(letting.renter) == 36_000 == owed(letting)
    assert letting.lease.status == 1
    assert letting.escrow.activeLease(letting.device.id) == 0


def test_pending_leases_that_take_devices_off_the_market__several__all_open(letting):
    for _ in range(3):
        letting.open()
    assert letting.escrow.leaseCount() == 3


def test_cancel__pending__all_of_it_back(pending):
    before = pending.balance(pending.network.accounts[41])
    with ape.reverts(pending.escrow.LeaseEscrow_NotParty):
        pending.escrow.cancel(pending.lease_id, sender=pending.provider)
    pending.escrow.cancel(pending.lease_id, sender=pending.renter)
    pending.escrow.refund(pending.lease_id, pending.network.accounts[41], sender=pending.renter)
    assert pending.balance(pending.network.accounts[41]) - before == 100_000
    assert owed(pending) == 0
    with ape.reverts(pending.escrow.LeaseEscrow_NothingDue):
        pending.escrow.refund(pending.lease_id, pending.renter, sender=pending.renter)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"valid_until": 1}, "OfferExpired"),
        ({"renter": "0x" + "11" * 20}, "NotForRenter"),
        ({"rate": 0}, "ZeroRate"),
        ({"max_duration": 3599}, "BadDurations"),
        ({"max_duration": 1 << 32}, "BadDurations"),
        ({"token": "0x" + "11" * 20}, "TokenNotAllowed"),
        ({"device_id": b"\1" * 32}, "DeviceNotActive"),
    ],
)
def test_open__offer_that_does_not_hold__refused(letting, changes, error):
    with ape.reverts(getattr(letting.escrow, f"LeaseEscrow_{error}")):
        letting.open(offer=letting.offer(**changes))


def test_an_offer_for_another_device__provider_of_another__refused(letting):
    other = letting.network.devices[2]
    with ape.reverts(letting.escrow.LeaseEscrow_NotProvider):
        letting.open(offer=letting.offer(device_id=other.id))


def test_an_offer_cancelled__below_the_floor__refused(letting):
    escrow = letting.escrow
    with ape.reverts(escrow.LeaseEscrow_NotProvider):
        escrow.cancelOffers(letting.device.id, 2, sender=letting.renter)
    escrow.cancelOffers(letting.device.id, 2, sender=letting.provider)
    with ape.reverts(escrow.LeaseEscrow_FloorNotRaised, asked=2, floor=2):
        escrow.cancelOffers(letting.device.id, 2, sender=letting.provider)
    with ape.reverts(escrow.LeaseEscrow_OfferCancelled, nonce=1, floor=2):
        letting.open()
    letting.open(offer=letting.offer(nonce=2))


def test_open__offer_signed_by_another__refused(letting):
    offer = letting.offer()
    with ape.reverts(letting.escrow.LeaseEscrow_BadSignature, expected=letting.provider.address):
        letting.open(offer=offer, signature=letting.sign(offer, letting.renter))
    with ape.reverts(letting.escrow.LeaseEscrow_BadSignature):
        letting.open(offer=offer, signature=b"")


def test_open__compact_signature__accepted(letting):
    from assay.protocol.signing import sign_compact

    offer = letting.offer()
    key = bytes.fromhex(letting.provider.private_key.removeprefix("0x"))
    letting.open(offer=offer, signature=sign_compact(offer.digest(letting.network.domain("LeaseEscrow")), key))
    assert (letting.lease.status, letting.lease.provider) == (1, letting.provider.address)


def test_private_quote__named_renter__opens(letting):
    letting.open(offer=letting.offer(renter=letting.renter.address))
    assert letting.lease.renter == letting.renter.address


def permit(letting, amount):
    """Permission of the renter for the escrow, in the token's own domain."""
    token, deadline = letting.network.TestToken, letting.network.now + HOUR
    domain = {"name": token.name(), "version": "1", "chainId": 31337, "verifyingContract": token.address}
    kinds = {
        "Permit": [
            {"name": "owner", "type": "address"}, {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"}, {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }  # fmt: skip
    nonce = token.nonces(letting.renter)
    values = {"owner": letting.renter.address, "spender": letting.escrow.address, "value": amount, "nonce": nonce,
              "deadline": deadline}  # fmt: skip
    message = encode_typed_data(domain, kinds, values)
    signed = Account.sign_message(message, private_key=letting.renter.private_key)
    return deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def open_with_permit(letting, amount, permission):
    offer = letting.offer()
    leaf, proof = letting.epoch.proof(letting.device)
    values = tuple(offer_values(offer))
    letting.escrow.openWithPermit(
        values, letting.sign(offer), amount, leaf, proof, 0, permission, sender=letting.renter
    )  # fmt: skip
    letting.lease_id = letting.escrow.leaseCount()


@pytest.mark.parametrize("front_run", [False, True])
def test_a_permit_front_run__open_with_permit__opens_all_the_same(letting, front_run):
    token, escrow = letting.network.TestToken, letting.escrow
    permission = permit(letting, 36_000)
    if front_run:
        token.permit(letting.renter, escrow, 36_000, *permission, sender=letting.network.accounts[41])
    open_with_permit(letting, 36_000, permission)
    assert letting.lease.deposit == 36_000 == owed(letting)
    assert token.allowance(letting.renter, escrow) == 0


def test_open_with_permit__permit_of_less__refused(letting):
    with ape.reverts():
        open_with_permit(letting, 36_000, permit(letting, 35_999))
    assert owed(letting) == 0


# Runtime code of an account that has signed what its storage says: magic value times the word stored at the digest.
WALLET = "0x600435" + "54" + "631626ba7e60e01b" + "02" + "60005260206000f3"


def becomes_wallet(letting, account, digest):
    provider = letting.network.chain.provider
    provider.make_request("anvil_setCode", [account.address, WALLET])
    provider.make_request("anvil_setStorageAt", [account.address, "0x" + digest.hex(), "0x" + "00" * 31 + "01"])


def test_open__provider_is_a_contract__signs_by_its_own_rules(letting):
    offer = letting.offer()
    becomes_wallet(letting, letting.provider, offer.digest(letting.network.domain("LeaseEscrow")))
    with ape.reverts(letting.escrow.LeaseEscrow_BadSignature, expected=letting.provider.address):
        letting.open(offer=letting.offer(nonce=2), signature=b"")
    letting.open(offer=offer, signature=b"")
    assert letting.lease.provider == letting.provider.address


def test_start__renter_is_a_contract__signs_by_its_own_rules(pending):
    until = pending.network.now + 10**6
    message = LeaseStart(pending.lease_id, b"\7" * 32, until)
    becomes_wallet(pending, pending.renter, message.digest(pending.network.domain("LeaseEscrow")))
    pending.network.TestToken.approve(pending.escrow, 10**15, sender=pending.provider)
    with ape.reverts(pending.escrow.LeaseEscrow_BadSignature, expected=pending.renter.address):
        pending.escrow.start(pending.lease_id, b"\7" * 32, until + 1, b"", sender=pending.provider)
    pending.escrow.start(pending.lease_id, b"\7" * 32, until, b"", sender=pending.provider)
    assert pending.lease.status == 2


@pytest.mark.parametrize(("deposit", "error"), [(35_999, "DepositTooSmall"), (3_600_001, "DepositTooLarge")])
def test_open__deposit_off_the_durations__refused(letting, deposit, error):
    with ape.reverts(getattr(letting.escrow, f"LeaseEscrow_{error}"), deposit=deposit):
        letting.open(deposit=deposit)


def test_open__no_minimum__still_a_minute(letting):
    with ape.reverts(letting.escrow.LeaseEscrow_DepositTooSmall, deposit=599, needed=600):
        letting.open(deposit=599, offer=letting.offer(min_duration=0))
    letting.open(deposit=600, offer=letting.offer(min_duration=0))


def test_open__score_asked_for_not_reached__refused(letting):
    with ape.reverts(letting.escrow.LeaseEscrow_ScoreTooLow, score=1000, minScore=1001):
        letting.open(min_score=1001)


def test_open__device_did_not_simply_pass__refused(letting):
    network, flags = letting.network, (0, 2, 3, 5, 65)
    epoch = Epoch(network, 1).open()
    epoch.seal([epoch.commit(letting.device)]).draw()
    epoch.report([epoch.leaf(letting.device, each) for each in flags])
    offer = letting.offer()
    for i, each in enumerate(flags):
        leaf, proof = epoch.device_leaves[i].values(), epoch.devices.proof(i)
        with ape.reverts(letting.escrow.LeaseEscrow_DeviceNotPassed, flags=each):
            letting.escrow.open(
                tuple(offer_values(offer)), letting.sign(offer), 100_000, leaf, proof, 0, sender=letting.renter
            )  # fmt: skip


def test_open__leaf_of_another_device_or_none__refused(letting):
    other, _ = letting.epoch.proof(letting.network.devices[1])
    with ape.reverts(letting.escrow.LeaseEscrow_DeviceNotInReport):
        letting.open(leaf=other)
    mine, _ = letting.epoch.proof(letting.device)
    with ape.reverts(letting.escrow.LeaseEscrow_DeviceNotInReport):
        letting.open(leaf=(*mine[:4], 10**6, *mine[5:]))


def test_open__report_too_old__refused(letting):
    letting.network.go_to(letting.network.start_of(5))
    with ape.reverts(letting.escrow.LeaseEscrow_ReportTooOld, epoch=0, oldest=1):
        letting.open()


def test_open__device_slashed_or_retired__refused(letting):
    letting.network.DeviceRegistry.retire(letting.device.id, sender=letting.provider)
    with ape.reverts(letting.escrow.LeaseEscrow_DeviceNotActive, deviceId=letting.device.id):
        letting.open()


def test_start__both_agree__streams_by_the_second(active):
    lease = active.lease
    assert lease.status == 2
    assert lease.bond == 36_000
    assert lease.stop - lease.start == 10_000
    assert owed(active) == 136_000
    active.network.go_to(lease.start + 777)
    assert active.escrow.streamed(active.lease_id) == 7_770
    active.network.go_to(lease.stop + 10**6)
    assert active.escrow.streamed(active.lease_id) == 100_000  # frozen
    assert active.escrow.activeLease(active.device.id) == 0


def test_start__by_another_or_expired_or_unsigned__refused(pending):
    escrow, network = pending.escrow, pending.network
    until = network.now + 1000
    with ape.reverts(escrow.LeaseEscrow_NotParty):
        escrow.start(pending.lease_id, b"\7" * 32, until, b"", sender=pending.renter)
    with ape.reverts(escrow.LeaseEscrow_BadSignature, expected=pending.renter.address):
        signature = pending.start_signature(until, pending.provider)
        escrow.start(pending.lease_id, b"\7" * 32, until, signature, sender=pending.provider)
    with ape.reverts(escrow.LeaseEscrow_BadSignature):
        signature = pending.start_signature(until, lease_id=99)
        escrow.start(pending.lease_id, b"\7" * 32, until, signature, sender=pending.provider)
    signature = pending.start_signature(until)
    network.go_to(until + 1)
    with ape.reverts(escrow.LeaseEscrow_StartExpired, validUntil=until):
        escrow.start(pending.lease_id, b"\7" * 32, until, signature, sender=pending.provider)


def test_two_leases_of_one_device__second_start__refused_until_the_first_is_over(active):
    first = active.lease_id
    active.open()
    with ape.reverts(active.escrow.LeaseEscrow_DeviceLeased, leaseId=first):
        active.start()
    active.network.go_to(active.escrow.lease(first).stop)
    active.start()
    assert active.escrow.activeLease(active.device.id) == active.lease_id


def test_start__device_retired_meanwhile__refused(pending):
    pending.network.DeviceRegistry.retire(pending.device.id, sender=pending.provider)
    with ape.reverts(pending.escrow.LeaseEscrow_DeviceNotActive):
        pending.start()


def test_top_up__before_stop__moves_it(active):
    stop = active.lease.stop
    active.escrow.topUp(active.lease_id, 50_000, sender=active.renter)
    assert active.lease.stop - stop == 5_000
    with ape.reverts(active.escrow.LeaseEscrow_NotParty):
        active.escrow.topUp(active.lease_id, 1, sender=active.provider)
    with ape.reverts(active.escrow.LeaseEscrow_DepositTooLarge, deposit=3_650_000, allowed=3_600_000):
        active.escrow.topUp(active.lease_id, 3_500_000, sender=active.renter)
    with ape.reverts(active.escrow.LeaseEscrow_DepositTooSmall):
        active.escrow.topUp(active.lease_id, 0, sender=active.renter)


def test_a_top_up_in_the_last_second__one_before_stop__works_at_stop_not(active):
    stop = active.lease.stop
    active.network.chain.pending_timestamp = stop - 1
    active.escrow.topUp(active.lease_id, 10, sender=active.renter)
    active.network.chain.pending_timestamp = stop + 1
    with ape.reverts(active.escrow.LeaseEscrow_Stopped, stop=stop + 1):
        active.escrow.topUp(active.lease_id, 10, sender=active.renter)


def test_end__renter_after_the_minimum__stops_now(active):
    active.network.chain.pending_timestamp = active.lease.start + 5_000
    active.escrow.end(active.lease_id, sender=active.renter)
    assert active.lease.stop - active.lease.start == 5_000
    assert active.escrow.refundable(active.lease_id) == 50_000
    assert active.lease.forfeited == 0


def test_end__renter_before_the_minimum__pays_to_it(active):
    active.network.chain.pending_timestamp = active.lease.start + 100
    active.escrow.end(active.lease_id, sender=active.renter)
    assert active.lease.stop - active.lease.start == 3_600
    assert active.escrow.refundable(active.lease_id) == 64_000
    assert active.escrow.activeLease(active.device.id) == 0


def test_end__provider_before_the_minimum__forfeits_the_unserved_part_of_the_bond(active):
    active.network.chain.pending_timestamp = active.lease.start + 900
    active.escrow.end(active.lease_id, sender=active.provider)
    assert active.lease.forfeited == 27_000  # three quarters of an hour of one
    assert active.escrow.refundable(active.lease_id) == 100_000 - 9_000 + 27_000


def test_end__by_a_stranger_or_twice_or_after_stop__refused(active):
    escrow = active.escrow
    with ape.reverts(escrow.LeaseEscrow_NotParty):
        escrow.end(active.lease_id, sender=active.network.accounts[41])
    escrow.end(active.lease_id, sender=active.provider)
    with ape.reverts(escrow.LeaseEscrow_WrongStatus, status=3):
        escrow.end(active.lease_id, sender=active.renter)


def test_both_sides_ending_in_one_block__second__refused_money_once(active):
    active.network.chain.pending_timestamp = active.lease.start + 5_000
    active.escrow.end(active.lease_id, sender=active.renter)
    due = active.escrow.refundable(active.lease_id)
    with ape.reverts(active.escrow.LeaseEscrow_WrongStatus):
        active.escrow.end(active.lease_id, sender=active.provider)
    assert active.escrow.refundable(active.lease_id) == due


def test_claiming_through_the_holdback__before_it__nothing_due(active):
    active.network.chain.pending_timestamp = active.lease.start + HOLDBACK
    with ape.reverts(active.escrow.LeaseEscrow_NothingDue):
        active.escrow.claim(active.lease_id, active.provider, sender=active.provider)


def test_claim__after_the_holdback__less_the_fee(active):
    start, token = active.lease.start, active.network.TestToken
    with ape.reverts(active.escrow.LeaseEscrow_NotParty):
        active.escrow.claim(active.lease_id, active.renter, sender=active.renter)
    before = active.balance(active.provider)
    active.network.chain.pending_timestamp = start + HOLDBACK + 8_000
    active.escrow.claim(active.lease_id, active.provider, sender=active.provider)
    # The fee's floor of 10,000 is above 2 % of 80,000.
    assert active.balance(active.provider) - before == 70_000
    assert active.escrow.fees(token) == 10_000
    active.network.go_to(active.lease.stop + HOLDBACK)
    active.escrow.claim(active.lease_id, active.provider, sender=active.provider)
    assert active.balance(active.provider) - before == 90_000


def test_claim_after_the_end__holdback_holds(active):
    active.network.chain.pending_timestamp = active.lease.start + 5_000
    active.escrow.end(active.lease_id, sender=active.renter)
    assert active.escrow.claimable(active.lease_id) == 0
    active.network.go_to(active.lease.stop + HOLDBACK)
    assert active.escrow.claimable(active.lease_id) == 50_000


def test_everyone_can_leave__lease_over__nothing_owed_but_the_fee(active):
    active.network.go_to(active.lease.stop + HOLDBACK)
    active.escrow.claim(active.lease_id, active.provider, sender=active.provider)
    active.escrow.returnBond(active.lease_id, active.provider, sender=active.provider)
    assert owed(active) == active.escrow.fees(active.network.TestToken)
    assert active.network.TestToken.balanceOf(active.escrow) == owed(active)
    for call in ("claim", "returnBond"):
        with ape.reverts(active.escrow.LeaseEscrow_NothingDue):
            getattr(active.escrow, call)(active.lease_id, active.provider, sender=active.provider)
    with ape.reverts(active.escrow.LeaseEscrow_NothingDue):
        active.escrow.refund(active.lease_id, active.renter, sender=active.renter)


def test_return_bond__while_downtime_can_be_attested__held(active):
    active.network.go_to(active.lease.stop + 1)
    with ape.reverts(active.escrow.LeaseEscrow_BondHeld, until=active.lease.stop + HOLDBACK):
        active.escrow.returnBond(active.lease_id, active.provider, sender=active.provider)
    assert active.escrow.bondReturnable(active.lease_id) == 0


def test_payouts__nobody_named_or_no_lease__refused(active):
    zero = "0x" + "00" * 20
    for call in ("claim", "refund", "returnBond"):
        with ape.reverts(active.escrow.LeaseEscrow_ZeroReceiver):
            getattr(active.escrow, call)(active.lease_id, zero, sender=active.provider)
        with ape.reverts(active.escrow.LeaseEscrow_UnknownLease, leaseId=99):
            getattr(active.escrow, call)(99, active.provider, sender=active.provider)


def test_views__unknown_lease__zero_state(letting):
    escrow = letting.escrow
    assert escrow.lease(99).status == 0
    for view in ("streamed", "claimable", "refundable", "bondFor", "bondReturnable"):
        assert getattr(escrow, view)(99) == 0
    assert escrow.activeLease(b"\1" * 32) == 0


def test_dust_and_rounding__odd_rate__never_more_out_than_in(letting):
    letting.rate = SCALE // 3 + 1
    letting.open(deposit=5_001)
    letting.start()
    letting.network.go_to(letting.lease.stop + HOLDBACK)
    claimable, refundable = letting.escrow.claimable(letting.lease_id), letting.escrow.refundable(letting.lease_id)
    assert claimable + refundable == 5_001
    assert refundable in (0, 1)
