// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Market} from "../base/Market.sol";

/// @title Threats on the escrow
contract EscrowThreats is Market {
    uint128 internal constant RATE = 1_000e18; // 1,000 base units a second
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        approveBoth(usd, 1e15);
        runEpoch(0, noLeaves(), one(passedLeaf(0, device)), 700);
    }

    function live(uint40 minDuration, uint40 seconds_) internal returns (uint256 id) {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        offer.minDuration = minDuration;
        id = openLease(offer, 0, costOf(RATE, seconds_));
        startLease(id);
    }

    function due(uint256 id) internal view returns (uint256) {
        return escrow.claimable(id);
    }

    function refusedOpen(IFormerEscrow.Offer memory offer, uint128 deposit, bytes4 selector) internal {
        bytes memory signature = signOffer(offer);
        vm.prank(renter);
        vm.expectPartialRevert(selector);
        escrow.open(offer, signature, deposit, passedLeaf(0, offer.deviceId), new bytes32[](0), 0);
    }

    function test_an_offer_expired_cancelled_or_changed__reverts() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        offer.validUntil = uint40(block.timestamp) - 1;
        refusedOpen(offer, 1e9, IFormerEscrow.LeaseEscrow_OfferExpired.selector);
        offer.validUntil = uint40(block.timestamp);
        openLease(offer, 0, 1e7);
        offer = offerOf(device, address(usd), RATE);
        bytes memory signature = signOffer(offer);
        offer.rate -= 1;
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 0);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotProvider.selector);
        escrow.cancelOffers(device, 2);
        vm.prank(provider);
        escrow.cancelOffers(device, 2);
        refusedOpen(offerOf(device, address(usd), RATE), 1e7, IFormerEscrow.LeaseEscrow_OfferCancelled.selector);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_FloorNotRaised.selector);
        escrow.cancelOffers(device, 2);
        offer = offerOf(device, address(usd), RATE);
        offer.nonce = 2;
        openLease(offer, 0, 1e7);
    }

    function test_an_offer_for_another_renter__reverts() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        offer.renter = address(0xabc);
        refusedOpen(offer, 1e7, IFormerEscrow.LeaseEscrow_NotForRenter.selector);
        offer.renter = renter;
        openLease(offer, 0, 1e7);
    }

    function test_an_offer_for_another_device__reverts() public {
        IFormerEscrow.Offer memory offer = offerOf(enrol(1, 1), address(usd), RATE);
        bytes memory signature = signOffer(offer);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotInReport.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 0);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotInReport.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, offer.deviceId), new bytes32[](0), 0);
        offer.provider = renter;
        refusedOpen(offer, 1e7, IFormerEscrow.LeaseEscrow_NotProvider.selector);
        offer.deviceId = keccak256("none");
        refusedOpen(offer, 1e7, IFormerEscrow.LeaseEscrow_DeviceNotActive.selector);
    }

    function test_an_offer_replayed_on_another_chain__reverts() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        bytes memory signature = signOffer(offer);
        vm.chainId(block.chainid + 1);
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 0);
    }

    function test_bad_durations_rates_and_deposits__revert() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), 0);
        refusedOpen(offer, 1e7, IFormerEscrow.LeaseEscrow_ZeroRate.selector);
        offer = offerOf(device, address(usd), RATE);
        offer.minDuration = offer.maxDuration + 1;
        refusedOpen(offer, 1e9, IFormerEscrow.LeaseEscrow_BadDurations.selector);
        (offer.minDuration, offer.maxDuration) = (0, 0);
        refusedOpen(offer, 1e9, IFormerEscrow.LeaseEscrow_BadDurations.selector);
        offer.maxDuration = uint40(1) << 32;
        refusedOpen(offer, 1e9, IFormerEscrow.LeaseEscrow_BadDurations.selector);
        offer = offerOf(device, address(usd), RATE);
        refusedOpen(offer, costOf(RATE, 600) - 1, IFormerEscrow.LeaseEscrow_DepositTooSmall.selector);
        refusedOpen(offer, costOf(RATE, 100_000) + 1, IFormerEscrow.LeaseEscrow_DepositTooLarge.selector);
        offer.minDuration = 1;
        refusedOpen(offer, costOf(RATE, 60) - 1, IFormerEscrow.LeaseEscrow_DepositTooSmall.selector);
        openLease(offer, 0, costOf(RATE, 60));
        offer.token = address(0xdead);
        refusedOpen(offer, 1e7, IFormerEscrow.LeaseEscrow_TokenNotAllowed.selector);
    }

    function test_a_device_measured_too_long_ago_or_too_slow_or_failed__cannot_be_leased() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        bytes memory signature = signOffer(offer);
        vm.startPrank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_ScoreTooLow.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 501);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotPassed.selector);
        escrow.open(offer, signature, 1e7, leasedLeaf(0, device, 1), new bytes32[](0), 0);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 500);
        vm.warp(startOf(MAX_AGE + 1) - 1);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 500);
        vm.warp(startOf(MAX_AGE + 1));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_ReportTooOld.selector);
        escrow.open(offer, signature, 1e7, passedLeaf(0, device), new bytes32[](0), 500);
        vm.stopPrank();
    }

    function test_two_leases_of_one_device__only_one_lives() public {
        uint256 first = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        uint256 second = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        startLease(first);
        eq(escrow.activeLease(device), first, "live");
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(second, until);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceLeased.selector);
        escrow.start(second, keccak256("handover"), until, signature);
        vm.warp(escrow.lease(first).stop);
        eq(escrow.activeLease(device), 0, "over");
        startLease(second);
    }

    function test_pending_leases__take_no_device_off_the_market() public {
        openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        eq(escrow.activeLease(device), 0, "no lease");
        isTrue(registry.activeProvider(device) == provider, "still active");
    }

    function test_a_pending_lease__can_always_be_cancelled_for_all_of_it() public {
        uint256 id = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        vm.prank(GUARDIAN);
        escrow.pauseEntry(14 days);
        escrow.delistToken(address(usd));
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.cancel(id);
        uint256 before = usd.balanceOf(renter);
        vm.startPrank(renter);
        escrow.cancel(id);
        escrow.refund(id, renter);
        eq(usd.balanceOf(renter) - before, 1e7, "all of it");
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NothingDue.selector);
        escrow.refund(id, renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_WrongStatus.selector);
        escrow.cancel(id);
        vm.stopPrank();
    }

    function test_a_renter_who_never_signs_the_start__cannot_be_charged() public {
        uint256 id = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id + 1, until);
        vm.startPrank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.start(id, keccak256("handover"), until, signature);
        signature = startSignature(id, until);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadSignature.selector);
        escrow.start(id, keccak256("another result"), until, signature);
        vm.warp(until + 1);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_StartExpired.selector);
        escrow.start(id, keccak256("handover"), until, signature);
        vm.stopPrank();
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.start(id, keccak256("handover"), until, signature);
        eq(due(id), 0, "nothing");
    }

    function test_a_start_in_the_last_second__runs_in_full() public {
        uint256 id = openLease(offerOf(device, address(usd), RATE), 0, costOf(RATE, 900));
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, until);
        vm.warp(until);
        vm.prank(provider);
        escrow.start(id, keccak256("handover"), until, signature);
        eq(escrow.lease(id).stop, until + 900, "stop");
    }

    function test_a_retired_device__starts_nothing() public {
        uint256 id = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        vm.prank(provider);
        registry.retire(device);
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, until);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotActive.selector);
        escrow.start(id, keccak256("handover"), until, signature);
        refusedOpen(offerOf(device, address(usd), RATE), 1e7, IFormerEscrow.LeaseEscrow_DeviceNotActive.selector);
    }

    function test_a_top_up_in_the_last_second__counts_and_a_second_later_reverts() public {
        uint256 id = live(0, 1_000);
        uint40 stop = escrow.lease(id).stop;
        vm.startPrank(renter);
        vm.warp(stop - 1);
        escrow.topUp(id, costOf(RATE, 10));
        eq(escrow.lease(id).stop, stop + 10, "moved");
        vm.warp(stop + 10);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_Stopped.selector);
        escrow.topUp(id, 1);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_Stopped.selector);
        escrow.end(id);
        vm.stopPrank();
    }

    function test_a_top_up__stays_within_max_duration_and_is_not_of_nothing() public {
        uint256 id = live(0, 1_000);
        vm.startPrank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DepositTooSmall.selector);
        escrow.topUp(id, 0);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DepositTooLarge.selector);
        escrow.topUp(id, costOf(RATE, 99_000) + 1);
        escrow.topUp(id, costOf(RATE, 99_000));
        vm.stopPrank();
        eq(escrow.lease(id).stop, escrow.lease(id).start + 100_000, "max");
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.topUp(id, 1);
    }

    function test_both_sides_ending_in_one_block__end_once() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 100);
        vm.prank(renter);
        escrow.end(id);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_WrongStatus.selector);
        escrow.end(id);
        eq(escrow.streamed(id), streamOf(RATE, 100), "streamed");
        eq(escrow.refundable(id), costOf(RATE, 900), "the rest");
    }

    function test_a_stranger__ends_claims_and_refunds_nothing() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + HOLDBACK + 100);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.claim(id, address(this));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.refund(id, address(this));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.returnBond(id, address(this));
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_ZeroReceiver.selector);
        escrow.claim(id, address(0));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_UnknownLease.selector);
        escrow.end(99);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_UnknownLease.selector);
        escrow.claim(99, provider);
    }

    function test_a_stranger__cannot_end_a_live_lease() public {
        uint256 id = live(0, 1_000);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotParty.selector);
        escrow.end(id);
    }

    function test_a_renter_who_leaves_early__pays_to_the_minimum() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 100);
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.lease(id).stop, escrow.lease(id).start + 600, "to the minimum");
        eq(escrow.refundable(id), costOf(RATE, 1_400), "the rest");
        vm.warp(block.timestamp + 100_000);
        eq(due(id), streamOf(RATE, 600), "the provider's");
        eq(escrow.bondReturnable(id), costOf(RATE, 600), "the bond, whole");
    }

    function test_a_renter_who_leaves_at_the_minimum__pays_what_streamed() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 600);
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.streamed(id), streamOf(RATE, 600), "streamed");
    }

    function test_a_provider_who_leaves_early__forfeits_what_was_not_served() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 150);
        vm.prank(provider);
        escrow.end(id);
        eq(escrow.lease(id).forfeited, costOf(RATE, 450), "three quarters");
        eq(escrow.refundable(id), costOf(RATE, 1_850) + costOf(RATE, 450), "the renter's");
        vm.warp(block.timestamp + HOLDBACK - 1);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BondHeld.selector);
        escrow.returnBond(id, provider);
        vm.warp(block.timestamp + 1);
        vm.prank(provider);
        eq(escrow.returnBond(id, provider), costOf(RATE, 150), "a quarter comes back");
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NothingDue.selector);
        escrow.returnBond(id, provider);
    }

    function test_claiming_through_the_holdback__pays_only_what_is_older() public {
        uint256 id = live(0, 20_000);
        uint256 start = block.timestamp;
        vm.warp(start + HOLDBACK);
        vm.prank(provider);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NothingDue.selector);
        escrow.claim(id, provider);
        vm.warp(start + HOLDBACK + 10);
        eq(due(id), streamOf(RATE, 10), "ten seconds");
        vm.prank(renter);
        escrow.end(id);
        eq(due(id), streamOf(RATE, 10), "the same after an end");
        vm.warp(block.timestamp + HOLDBACK);
        eq(due(id), streamOf(RATE, HOLDBACK + 10), "all, a holdback later");
    }

    function test_a_device_that_leases_itself__is_not_measured_as_passed() public {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf memory both = passedLeaf(0, device);
        both.flags = 3;
        vm.prank(renter);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotPassed.selector);
        escrow.open(offer, signature, 1e7, both, new bytes32[](0), 0);
    }

    function test_fees__are_a_share_with_a_floor_and_never_more_than_all() public {
        uint256 id = live(0, 20_000);
        uint256 start = block.timestamp;
        vm.warp(start + HOLDBACK + 5);
        vm.prank(provider);
        eq(escrow.claim(id, provider), 0, "5,000 of a floor of 10,000: all of it is fee");
        eq(escrow.fees(address(usd)), 5_000, "fee");
        vm.warp(start + HOLDBACK + 1_000);
        vm.prank(provider);
        eq(escrow.claim(id, provider), 995_000 - 15_000, "2 % of a million, less what was taken");
        eq(escrow.fees(address(usd)), 20_000, "fees");
        vm.prank(provider);
        vm.expectRevert();
        escrow.collectFees(address(usd), provider);
        eq(escrow.collectFees(address(usd), address(0xfee)), 20_000, "collected");
        eq(usd.balanceOf(address(0xfee)), 20_000, "paid");
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_BadBound.selector);
        escrow.setFee(501);
        escrow.setFee(500);
        eq(escrow.lease(id).feeBps, 200, "a lease keeps its fee");
    }

    function test_donations__are_surplus_and_nothing_else_is() public {
        live(0, 1_000);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NoSurplus.selector);
        escrow.recoverSurplus(address(usd), address(this));
        usd.mint(address(escrow), 55);
        eq(escrow.recoverSurplus(address(usd), address(0x55)), 55, "surplus");
        eq(usd.balanceOf(address(escrow)), escrow.owed(address(usd)), "what is owed stays");
        vm.prank(provider);
        vm.expectRevert();
        escrow.recoverSurplus(address(usd), provider);
    }

    function test_a_pause_of_entry__stops_no_start_top_up_or_exit() public {
        uint256 pending = openLease(offerOf(device, address(usd), RATE), 0, 1e7);
        vm.prank(GUARDIAN);
        escrow.pauseEntry(14 days);
        refusedOpen(offerOf(device, address(usd), RATE), 1e7, bytes4(keccak256("EntryPausedUntil(uint40)")));
        startLease(pending);
        vm.startPrank(renter);
        escrow.topUp(pending, 1_000);
        vm.warp(block.timestamp + 700);
        escrow.end(pending);
        escrow.refund(pending, renter);
        vm.stopPrank();
        vm.warp(block.timestamp + 10_000);
        vm.startPrank(provider);
        escrow.claim(pending, provider);
        escrow.returnBond(pending, provider);
        vm.stopPrank();
    }

    function test_a_pause__is_short_and_rare_and_the_guardians() public {
        vm.expectRevert();
        escrow.pauseEntry(1);
        vm.startPrank(GUARDIAN);
        vm.expectPartialRevert(bytes4(keccak256("PauseTooLong(uint40,uint40)")));
        escrow.pauseEntry(14 days + 1);
        vm.expectPartialRevert(bytes4(keccak256("PauseTooLong(uint40,uint40)")));
        escrow.pauseEntry(0);
        escrow.pauseEntry(14 days);
        vm.warp(block.timestamp + 44 days - 1);
        vm.expectPartialRevert(bytes4(keccak256("PauseTooSoon(uint40,uint256)")));
        escrow.pauseEntry(1);
        vm.warp(block.timestamp + 1);
        escrow.pauseEntry(1 days);
        escrow.resumeEntry();
        vm.stopPrank();
        eq(escrow.pausedUntil(), 0, "open");
    }

    function test_delisting__closes_entry_only_and_listing_again_keeps_the_floor() public {
        uint256 id = live(0, 1_000);
        escrow.delistToken(address(usd));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_TokenNotAllowed.selector);
        escrow.delistToken(address(usd));
        refusedOpen(offerOf(device, address(usd), RATE), 1e7, IFormerEscrow.LeaseEscrow_TokenNotAllowed.selector);
        vm.prank(renter);
        escrow.topUp(id, 1_000);
        escrow.listToken(address(usd), 0);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_AlreadyListed.selector);
        escrow.listToken(address(usd), 0);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_TokenNotAllowed.selector);
        escrow.listToken(address(0xdead), 0);
        vm.warp(block.timestamp + 20_000);
        vm.prank(provider);
        escrow.claim(id, provider);
        eq(escrow.fees(address(usd)), 20_020, "2 % of 1,001,000");
    }
}
