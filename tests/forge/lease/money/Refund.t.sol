// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Paying the renter back
contract Refund is Lettings {
    address internal constant SINK = address(0x51e4);

    function test_refund__of_a_lease_that_ended__pays_the_rest_once() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 400);
        vm.startPrank(renter);
        escrow.end(id);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseRefunded(id, SINK, costOf(RATE, 600));
        eq(escrow.refund(id, SINK), costOf(RATE, 600), "the rest");
        eq(usd.balanceOf(SINK), costOf(RATE, 600), "paid");
        eq(escrow.lease(id).refunded, costOf(RATE, 600), "recorded");
        eq(escrow.owed(address(usd)), costOf(RATE, 400), "what has streamed is owed");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.refund(id, SINK);
        vm.stopPrank();
    }

    /// @dev Downtime at once, the rest at the end.
    function test_refund__in_parts__sums_to_what_is_due() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 9_000);
        downtime(id, leasedLeaf(1, device, 9_000));
        vm.startPrank(renter);
        eq(escrow.refund(id, SINK), streamOf(RATE, 100), "downtime, while it streams");
        escrow.end(id);
        eq(escrow.refund(id, SINK), costOf(RATE, 9_000), "the rest");
        vm.stopPrank();
        eq(escrow.lease(id).refunded, costOf(RATE, 9_100), "in all");
    }

    function test_refund__running_or_pending__is_nothing() public {
        uint256 id = live(0, 1_000);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.refund(id, SINK);
        id = pending();
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.refund(id, SINK);
    }

    function test_refund__of_a_lease_streamed_in_full__is_the_dust() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 3e17);
        offer.minDuration = 0;
        uint256 id = live(offer, 1_000);
        uint256 stop = escrow.lease(id).stop;
        eq(stop, block.timestamp + 3_333, "whole seconds");
        vm.warp(stop);
        eq(escrow.refundable(id), 1_000 - 999, "what pays for no whole second");
    }

    function test_refund__by_another_to_nobody_or_of_no_lease__reverts() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 1_000);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, provider));
        escrow.refund(id, provider);
        vm.startPrank(renter);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.refund(id, address(0));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 99));
        escrow.refund(99, renter);
        vm.stopPrank();
    }
}
