// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Claiming what has streamed: the holdback, the fee, the receiver
contract Claim is Lettings {
    address internal constant SINK = address(0x51e4);

    function claimed(uint256 id) internal returns (uint256) {
        vm.prank(provider);
        return escrow.claim(id, SINK);
    }

    function test_claiming_through_the_holdback__pays_only_what_is_older() public {
        uint256 id = live(0, 20_000);
        uint256 start = block.timestamp;
        vm.warp(start + HOLDBACK);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        claimed(id);
        vm.warp(start + HOLDBACK + 10);
        eq(escrow.claimable(id), streamOf(RATE, 10), "ten seconds");
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.claimable(id), streamOf(RATE, 10), "the same after an end");
        vm.warp(start + 2 * HOLDBACK + 9);
        eq(escrow.claimable(id), streamOf(RATE, HOLDBACK + 9), "all but the last second");
        vm.warp(start + 2 * HOLDBACK + 10);
        eq(escrow.claimable(id), streamOf(RATE, HOLDBACK + 10), "all, a holdback later");
    }

    function test_claim__twice__pays_each_second_once() public {
        uint256 id = live(0, 20_000);
        uint256 start = block.timestamp;
        vm.warp(start + HOLDBACK + 100);
        uint256 out = claimed(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        claimed(id);
        vm.warp(start + HOLDBACK + 130);
        out += claimed(id);
        eq(out + escrow.fees(address(usd)), streamOf(RATE, 130), "each second once");
        eq(escrow.lease(id).claimed, streamOf(RATE, 130), "claimed");
        eq(usd.balanceOf(SINK), out, "paid");
        eq(escrow.owed(address(usd)), DEPOSIT * 2 - out, "owed no longer");
    }

    function test_fees__are_a_share_with_a_floor_and_never_more_than_all() public {
        uint256 id = live(0, 20_000);
        uint256 start = block.timestamp;
        vm.warp(start + HOLDBACK + 5);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseClaimed(id, SINK, 0, 5_000);
        eq(claimed(id), 0, "5,000 of a floor of 10,000: all of it is fee");
        vm.warp(start + HOLDBACK + 1_000);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseClaimed(id, SINK, 980_000, 15_000);
        eq(claimed(id), 995_000 - 15_000, "2 % of a million, less what was taken");
        eq(escrow.fees(address(usd)), 20_000, "fees");
    }

    function test_fees__changed__are_of_leases_to_come() public {
        uint256 id = live(0, 20_000);
        escrow.setFee(500);
        eq(escrow.lease(id).feeBps, 200, "a lease keeps its fee");
        eq(escrow.lease(pending()).feeBps, 500, "the next has the new one");
    }

    function test_claim__by_a_stranger_or_the_renter__reverts() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 10_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, address(this)));
        escrow.claim(id, address(this));
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, renter));
        escrow.claim(id, renter);
    }

    function test_claim__to_nobody_or_of_no_lease__reverts() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 10_000);
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.claim(id, address(0));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 99));
        escrow.claim(99, provider);
        vm.stopPrank();
    }

    /// @dev Whatever rate and times: parts never sum to more than the deposit, and nothing is left behind.
    function test_dust__of_any_stream__is_somebodys(uint128 rate, uint256 first, uint256 second) public {
        rate = uint128(within(rate, 1, 1e24));
        (first, second) = (within(first, 1, 5_000), within(second, 1, 5_000));
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), rate);
        offer.minDuration = 0;
        uint96 deposit = costOf(rate, 20_000);
        uint256 id = live(offer, deposit);
        vm.warp(block.timestamp + first);
        uint256 out = escrow.claimable(id) == 0 ? 0 : claimed(id);
        vm.warp(block.timestamp + second);
        vm.prank(renter);
        escrow.end(id);
        if (escrow.refundable(id) != 0) {
            vm.prank(renter);
            out += escrow.refund(id, SINK);
        }
        vm.warp(block.timestamp + HOLDBACK);
        if (escrow.claimable(id) != 0) out += claimed(id);
        eq(out + escrow.fees(address(usd)), deposit, "all of it");
        eq(escrow.owed(address(usd)), escrow.fees(address(usd)), "the fees are left");
    }
}
