// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Letting a renter go who has left early
contract Release is Lettings {
    function released(uint256 id) internal {
        vm.prank(provider);
        escrow.release(id);
    }

    function test_release__ends_the_stream_and_forfeits_nothing() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 100);
        leaveEarly(id);
        vm.warp(block.timestamp + 50);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseReleased(id, uint40(block.timestamp));
        released(id);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
        eq(escrow.activeLease(device), 0, "free");
        eq(escrow.streamed(id), streamOf(RATE, 150), "paid to here");
        eq(escrow.refundable(id), costOf(RATE, 1_850), "the rest");
        eq(escrow.lease(id).forfeited + escrow.forfeitable(id), 0, "nothing forfeited");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 600), "the bond, whole");
    }

    function test_release__a_renter_who_has_not_left__reverts() public {
        uint256 id = live(600, 2_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotLeftEarly.selector, id));
        released(id);
    }

    function test_release__over_or_pending__reverts() public {
        uint256 id = live(600, 2_000);
        leaveEarly(id);
        vm.warp(block.timestamp + 600);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        released(id);
        id = pending();
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Pending
            )
        );
        released(id);
    }

    function test_release__by_another__reverts() public {
        uint256 id = live(600, 2_000);
        leaveEarly(id);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, renter));
        escrow.release(id);
    }

    function test_letting_it_again__releases_it() public {
        uint256 id = live(600, 2_000);
        vm.warp(block.timestamp + 100);
        leaveEarly(id);
        uint256 next = pending();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseReleased(id, uint40(block.timestamp));
        startLease(next);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
        eq(escrow.streamed(id), streamOf(RATE, 100), "no second is paid twice");
        eq(escrow.activeLease(device), next, "the next");
    }

    /// @dev One device of a node let again frees the others too.
    function test_letting_one_device_of_a_node_again__releases_all_of_it() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        leaveEarly(id);
        vm.warp(block.timestamp + 10);
        uint256 next = openLease(offerOf(node[1], address(usd), RATE), 0, DEPOSIT);
        startLease(next);
        eq(escrow.activeLease(node[0]), 0, "free");
        eq(escrow.activeLease(node[1]), next, "leased");
        eq(escrow.activeLease(node[2]), 0, "free");
    }

    function test_letting_a_node_again__releases_every_lease_that_was_left() public {
        uint256 first = live(offerOf(node[0], address(usd), RATE), DEPOSIT);
        uint256 last = live(offerOf(node[2], address(usd), RATE), DEPOSIT);
        leaveEarly(first);
        leaveEarly(last);
        vm.warp(block.timestamp + 10);
        uint256 next = openLease(nodeOffer(), 0, DEPOSIT);
        startLease(next);
        statusIs(first, ILeaseEscrow.Status.Ended, "over");
        statusIs(last, ILeaseEscrow.Status.Ended, "over");
        for (uint256 i = 0; i < 3; ++i) eq(escrow.activeLease(node[i]), next, "all of it");
    }

    /// @dev Dark for longer than is borne, as everybody can see: going now is leaving.
    function test_release__after_too_much_downtime__is_no_way_out_of_the_forfeit() public {
        uint256 id = live(5_000, 10_000);
        leaveEarly(id);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        released(id);
        eq(escrow.forfeitable(id), costOf(RATE, 5_000), "nothing was served");
        eq(escrow.lease(id).forfeited, 0, "the renter earns nothing by it");
    }

    /// @dev Attested only afterwards, downtime costs its own share: the renter had left, and was let go.
    function test_release__downtime_before_it__is_refunded_and_forfeits_its_share() public {
        uint256 id = live(5_000, 10_000);
        leaveEarly(id);
        measure(1, device, 0);
        released(id);
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), DEPOSIT, "all of it");
        eq(escrow.forfeitable(id), costOf(RATE, 1_000), "for the thousand seconds until then");
    }
}
