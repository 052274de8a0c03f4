// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Ending a lease: by the renter, bound or not, and by the provider
contract End is Lettings {
    function ended(uint256 id, address by) internal {
        vm.prank(by);
        escrow.end(id);
    }

    function test_a_renter_who_leaves_at_the_minimum__pays_what_streamed() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 600);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseEnded(id, renter, uint40(block.timestamp), 0);
        ended(id, renter);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
        eq(escrow.streamed(id), streamOf(RATE, 600), "streamed");
        eq(escrow.refundable(id), costOf(RATE, 1_400), "the rest, at once");
        isTrue(!escrow.lease(id).leftEarly, "in time");
    }

    function test_a_renter_who_leaves_early__pays_to_the_minimum() public {
        uint256 id = live(600, 2_000);
        uint256 start = block.timestamp;
        vm.warp(start + 599);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseEnded(id, renter, uint40(start) + 600, 0);
        ended(id, renter);
        eq(escrow.lease(id).stop, start + 600, "to the minimum");
        isTrue(escrow.lease(id).leftEarly, "early");
        statusIs(id, ILeaseEscrow.Status.Active, "until then");
        eq(escrow.activeLease(device), id, "still leased, and so still observed");
        eq(escrow.refundable(id), 0, "nothing before");
        vm.warp(start + 600);
        eq(escrow.activeLease(device), 0, "free");
        eq(escrow.refundable(id), costOf(RATE, 1_400), "the rest");
        vm.warp(start + 100_000);
        eq(escrow.claimable(id), streamOf(RATE, 600), "the provider's");
        eq(escrow.bondReturnable(id), costOf(RATE, 600), "the bond, whole");
    }

    function test_end__a_renter_who_has_left_early__is_bound() public {
        uint256 id = live(600, 2_000);
        ended(id, renter);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_LeftEarly.selector, id));
        escrow.end(id);
    }

    function test_a_provider_who_leaves_early__forfeits_what_was_not_served() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 150);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseEnded(id, provider, uint40(block.timestamp), costOf(RATE, 450));
        ended(id, provider);
        eq(escrow.lease(id).forfeited, costOf(RATE, 450), "three quarters");
        eq(escrow.forfeitable(id), 0, "nothing to the network");
        eq(escrow.refundable(id), costOf(RATE, 1_850) + costOf(RATE, 450), "the renter's, at once");
        vm.warp(block.timestamp + HOLDBACK);
        vm.prank(provider);
        eq(escrow.returnBond(id, provider), costOf(RATE, 150), "a quarter comes back");
    }

    function test_a_provider_who_leaves_at_the_minimum__forfeits_nothing() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 600);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, 0, "served");
        eq(escrow.streamed(id), streamOf(RATE, 600), "streamed");
    }

    function test_end__in_the_second_of_the_start__streams_nothing_and_forfeits_all() public {
        uint256 id = live(600, 2_000);
        ended(id, provider);
        eq(escrow.streamed(id), 0, "nothing");
        eq(escrow.refundable(id), costOf(RATE, 2_600), "deposit and bond");
    }

    /// @dev What is forfeited is rounded up, and never above the bond.
    function test_a_provider_who_leaves_early__forfeits_to_the_unit(uint128 rate, uint256 served) public {
        rate = uint128(within(rate, 1, 1e24));
        served = within(served, 0, 599);
        uint256 id = live(offerOf(device, address(usd), rate), costOf(rate, 2_000));
        uint256 bond = costOf(rate, 600);
        vm.warp(block.timestamp + served);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, (bond * (600 - served) + 599) / 600, "the unserved part");
        atMost(escrow.lease(id).forfeited, bond, "of the bond");
    }

    /// @dev It is the renter who has left: the provider lets it go.
    function test_end__by_the_provider_of_a_renter_who_left_early__reverts() public {
        uint256 id = live(600, 2_000);
        ended(id, renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_LeftEarly.selector, id));
        ended(id, provider);
    }

    function test_both_sides_ending_in_one_block__end_once() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 100);
        ended(id, renter);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        ended(id, provider);
        eq(escrow.streamed(id), streamOf(RATE, 100), "streamed");
        eq(escrow.refundable(id), costOf(RATE, 900), "the rest");
    }

    function test_end__in_the_last_second__ends_and_a_second_later_reverts() public {
        uint256 id = live(0, 1_000);
        uint256 stop = escrow.lease(id).stop;
        uint256 state = vm.snapshotState();
        vm.warp(stop - 1);
        ended(id, renter);
        eq(escrow.refundable(id), costOf(RATE, 1), "a second's worth");
        vm.revertToState(state);
        vm.warp(stop);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        ended(id, renter);
    }

    function test_a_stranger__cannot_end_a_live_lease() public {
        uint256 id = live(0, 1_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, address(this)));
        escrow.end(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 99));
        escrow.end(99);
        uint256 waiting = pending();
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, waiting, ILeaseEscrow.Status.Pending
            )
        );
        escrow.end(waiting);
    }
}
