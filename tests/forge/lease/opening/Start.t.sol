// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Starting a lease: who may, on whose signature, and what it takes
contract Start is Lettings {
    function tryStart(uint256 id, ILeaseEscrow.Offer memory offer, bytes memory signature, uint40 until) internal {
        vm.prank(provider);
        escrow.start(id, offer, HANDOVER, until, signature);
    }

    function test_start__by_the_provider__takes_bond_and_devices() public {
        ILeaseEscrow.Offer memory offer = nodeOffer();
        (offer.notice, offer.minDuration) = (90, 1_000);
        uint256 id = openLease(offer, 0, DEPOSIT);
        uint256 before = usd.balanceOf(provider);
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, offer, until);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseStarted(
            id, HANDOVER, uint40(block.timestamp), uint40(block.timestamp) + 10_000, costOf(RATE, 1_000)
        );
        tryStart(id, offer, signature, until);
        ILeaseEscrow.Lease memory l = escrow.lease(id);
        eq(uint256(l.status), uint256(ILeaseEscrow.Status.Active), "active");
        eq(l.rate, RATE, "rate");
        eq(l.start, block.timestamp, "start");
        eq(l.stop, block.timestamp + 10_000, "stop");
        eq(l.notice, 90, "notice");
        eq(l.devices, 3, "devices");
        eq(l.bond, costOf(RATE, 1_000), "bond");
        eq(before - usd.balanceOf(provider), l.bond, "paid");
        eq(escrow.owed(address(usd)), DEPOSIT + l.bond, "owed");
        for (uint256 i = 0; i < 3; ++i) eq(escrow.activeLease(node[i]), id, "leased");
        eq(escrow.activeLease(device), 0, "another is free");
    }

    function test_start__no_minimum__takes_no_bond() public {
        uint256 before = usd.balanceOf(provider);
        uint256 id = live(0, 1_000);
        eq(escrow.lease(id).bond, 0, "none");
        eq(usd.balanceOf(provider), before, "nothing taken");
    }

    function test_a_start_in_the_last_second__runs_in_full() public {
        uint256 id = pending();
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, offerOfLease(id), until);
        vm.warp(until);
        tryStart(id, offerOfLease(id), signature, until);
        eq(escrow.lease(id).stop, until + 10_000, "stop");
    }

    function test_start__a_second_late__reverts() public {
        uint256 id = pending();
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, offerOfLease(id), until);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_StartExpired.selector, until, until + 1));
        tryStart(id, offerOfLease(id), signature, until);
    }

    /// @dev The offer's own last second is for opening.
    function test_start__of_an_offer_expired_meanwhile__starts() public {
        uint256 id = pending();
        vm.warp(offerOfLease(id).validUntil + 1);
        startLease(id);
    }

    function test_a_renter_who_never_signs_the_start__cannot_be_charged() public {
        uint256 id = pending();
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory refused = abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, renter);
        vm.expectRevert(refused);
        tryStart(id, offerOfLease(id), startSignature(id + 1, offerOfLease(id), until), until);
        vm.expectRevert(refused);
        tryStart(id, offerOfLease(id), startSignature(id, offerOfLease(id), until), until + 1);
        bytes memory signature = startSignature(id, offerOfLease(id), until);
        vm.prank(provider);
        vm.expectRevert(refused);
        escrow.start(id, offerOfLease(id), keccak256("another result"), until, signature);
        vm.warp(block.timestamp + 100_000);
        eq(escrow.claimable(id), 0, "nothing");
    }

    /// @dev Two openings of one renter, of a cheap and a dear offer, can change places in a reorganisation: the number that the
    /// renter signed for is the other lease's then.
    function test_a_start_signed_for_one_offer__starts_no_other_of_the_same_number() public {
        uint256 state = vm.snapshotState();
        uint256 id = pending();
        uint40 until = uint40(block.timestamp) + 100;
        bytes memory signature = startSignature(id, offerOfLease(id), until);
        vm.revertToState(state);
        ILeaseEscrow.Offer memory dear = offerOf(device, address(usd), 1_000 * RATE);
        dear.minDuration = 10;
        eq(openLease(dear, 0, 60_000_000), id, "the same number");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BadSignature.selector, renter));
        tryStart(id, dear, signature, until);
    }

    function test_start__with_an_offer_other_than_it_was_opened_on__reverts() public {
        uint256 id = pending();
        ILeaseEscrow.Offer memory dear = offerOfLease(id);
        dear.rate = 2 * RATE;
        uint40 until = uint40(block.timestamp) + 100;
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_OtherOffer.selector, id, keccak256(offerEncoded(dear))
            )
        );
        tryStart(id, dear, startSignature(id, dear, until), until);
    }

    function test_start__by_a_stranger_or_the_renter__reverts() public {
        uint256 id = pending();
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, renter));
        startLease(id, renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, operator));
        startLease(id, operator);
    }

    function test_start__unknown_cancelled_active_or_over__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 7));
        startLease(7);
        uint256 cancelled = pending();
        vm.prank(renter);
        escrow.cancel(cancelled);
        vm.expectRevert(wrong(cancelled, ILeaseEscrow.Status.Cancelled));
        startLease(cancelled);
        uint256 id = live(0, 1_000);
        vm.expectRevert(wrong(id, ILeaseEscrow.Status.Active));
        startLease(id);
        vm.warp(escrow.lease(id).stop);
        vm.expectRevert(wrong(id, ILeaseEscrow.Status.Ended));
        startLease(id);
    }

    function wrong(uint256 id, ILeaseEscrow.Status status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, status);
    }

    function test_two_leases_of_one_device__only_one_lives() public {
        uint256 first = pending();
        uint256 second = pending();
        startLease(first);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceLeased.selector, device, first)
        );
        startLease(second);
        vm.warp(escrow.lease(first).stop - 1);
        eq(escrow.activeLease(device), first, "to the last second");
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceLeased.selector, device, first)
        );
        startLease(second);
        vm.warp(escrow.lease(first).stop);
        eq(escrow.activeLease(device), 0, "over");
        startLease(second);
        eq(escrow.activeLease(device), second, "the next");
    }

    function test_start__a_device_retired_meanwhile__reverts() public {
        uint256 id = openLease(nodeOffer(), 0, DEPOSIT);
        vm.prank(provider);
        registry.retire(node[2]);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, node[2], IDeviceRegistry.Status.Retired
            )
        );
        startLease(id);
    }

    function test_start__a_device_slashed_meanwhile__reverts() public {
        uint256 id = openLease(nodeOffer(), 0, DEPOSIT);
        slashDevice(node[1]);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, node[1], IDeviceRegistry.Status.Slashed
            )
        );
        startLease(id);
    }
}
