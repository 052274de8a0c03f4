// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Notice: what it lets each side do, and what it does not excuse
contract GiveNotice is Lettings {
    function given(uint256 id) internal {
        vm.prank(provider);
        escrow.giveNotice(id);
    }

    function ended(uint256 id, address by) internal {
        vm.prank(by);
        escrow.end(id);
    }

    function test_give_notice__of_a_live_lease__is_recorded() public {
        uint256 id = noticed(300);
        vm.warp(block.timestamp + 10);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.NoticeGiven(id, uint40(block.timestamp) + 300);
        given(id);
        eq(escrow.lease(id).noticeAt, block.timestamp, "given");
        statusIs(id, ILeaseEscrow.Status.Active, "goes on");
        eq(escrow.lease(id).stop, escrow.lease(id).start + 10_000, "and does not end by itself");
    }

    function test_a_provider_whose_notice_has_run_out__ends_for_nothing() public {
        uint256 id = noticed(300);
        given(id);
        vm.warp(block.timestamp + 300);
        ended(id, provider);
        eq(escrow.lease(id).forfeited + escrow.forfeitable(id), 0, "nothing");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 1_000), "all of it comes back");
    }

    function test_a_provider_whose_notice_still_runs__forfeits_as_without() public {
        uint256 id = noticed(300);
        given(id);
        vm.warp(block.timestamp + 299);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, costOf(RATE, 701), "what was not served");
    }

    function test_a_renter_under_notice__leaves_free_at_once() public {
        uint256 id = noticed(300);
        vm.warp(block.timestamp + 10);
        given(id);
        ended(id, renter);
        eq(escrow.lease(id).stop, block.timestamp, "before the minimum");
        eq(escrow.refundable(id), costOf(RATE, 9_990), "the rest");
        eq(escrow.lease(id).forfeited + escrow.forfeitable(id), 0, "nothing forfeited");
    }

    function test_a_renter_who_left_early__is_free_when_notice_is_given() public {
        uint256 id = noticed(300);
        ended(id, renter);
        vm.warp(block.timestamp + 50);
        given(id);
        ended(id, renter);
        eq(escrow.lease(id).stop, block.timestamp, "now");
        isTrue(!escrow.lease(id).leftEarly, "no longer bound");
    }

    function test_give_notice__in_the_last_second__changes_nothing() public {
        uint256 id = noticed(300);
        vm.warp(escrow.lease(id).stop - 1);
        given(id);
        vm.warp(block.timestamp + 1);
        statusIs(id, ILeaseEscrow.Status.Ended, "over by its term");
        eq(escrow.streamed(id), DEPOSIT, "in full");
    }

    function test_give_notice__twice__reverts() public {
        uint256 id = noticed(300);
        given(id);
        uint256 at = block.timestamp;
        vm.warp(at + 5);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NoticeAlreadyGiven.selector, id, at));
        given(id);
    }

    function test_give_notice__before_the_start_or_after_the_end__reverts() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        offer.notice = 300;
        uint256 id = openLease(offer, 0, DEPOSIT);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Pending
            )
        );
        given(id);
        startLease(id);
        vm.warp(escrow.lease(id).stop);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        given(id);
    }

    function test_give_notice__of_an_offer_without__reverts() public {
        uint256 id = live(600, 2_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NoNotice.selector, id));
        given(id);
    }

    function test_give_notice__by_another__reverts() public {
        uint256 id = noticed(300);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, renter));
        escrow.giveNotice(id);
    }

    /// @dev Notice is given, waited for, and the machine is off all the while: its downtime is refunded and forfeits its share.
    function test_notice__excuses_no_downtime() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.notice) = (5_000, 1_000);
        uint256 id = live(offer, DEPOSIT);
        given(id);
        measure(1, device, 0);
        ended(id, provider);
        eq(escrow.lease(id).stop, startOf(2), "a notice later");
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), DEPOSIT, "all of it");
        eq(escrow.lease(id).forfeited, 0, "the renter earns nothing by it");
        eq(escrow.forfeitable(id), costOf(RATE, 1_000), "a second of bond for each second dark");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 4_000), "the rest, for which notice was given");
    }

    function test_notice__a_renter_who_leaves_dark_under_it__forfeits_what_the_notice_promised() public {
        ILeaseEscrow.Offer memory offer = plainOffer();
        (offer.minDuration, offer.notice) = (8_000, 3_000);
        uint256 id = live(offer, DEPOSIT);
        given(id);
        measure(1, device, 0);
        ended(id, renter);
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.forfeitable(id), costOf(RATE, 3_000), "to the end of the notice, none of it served");
    }
}
