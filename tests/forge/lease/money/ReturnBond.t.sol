// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Paying the bond back
contract ReturnBond is Lettings {
    address internal constant SINK = address(0x51e4);

    function returned(uint256 id) internal returns (uint256) {
        vm.prank(provider);
        return escrow.returnBond(id, SINK);
    }

    function test_return_bond__a_holdback_after_the_stop__and_not_a_second_before() public {
        uint256 id = live(600, 1_000);
        uint256 until = block.timestamp + 1_000 + HOLDBACK;
        vm.warp(until - 1);
        eq(escrow.bondReturnable(id), 0, "held");
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BondHeld.selector, id, until, until - 1)
        );
        returned(id);
        vm.warp(until);
        eq(escrow.bondReturnable(id), costOf(RATE, 600), "free");
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.BondReturned(id, SINK, costOf(RATE, 600));
        eq(returned(id), costOf(RATE, 600), "whole");
        eq(usd.balanceOf(SINK), costOf(RATE, 600), "paid");
        isTrue(escrow.lease(id).bondReturned, "recorded");
        eq(escrow.owed(address(usd)), costOf(RATE, 1_000), "the stream is owed");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
    }

    function test_return_bond__of_a_lease_ended_early__counts_from_its_end() public {
        uint256 id = live(600, 10_000);
        vm.warp(block.timestamp + 700);
        vm.prank(renter);
        escrow.end(id);
        vm.warp(block.timestamp + HOLDBACK);
        eq(returned(id), costOf(RATE, 600), "whole");
    }

    function test_return_bond__none_or_not_started__is_nothing() public {
        uint256 id = live(0, 1_000);
        vm.warp(block.timestamp + 100_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
        measureAll(200);
        ILeaseEscrow.Offer memory offer = plainOffer();
        id = openLease(offer, 200, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
        vm.prank(renter);
        escrow.cancel(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
    }

    function test_return_bond__by_another_to_nobody_or_of_no_lease__reverts() public {
        uint256 id = live(600, 1_000);
        vm.warp(block.timestamp + 10_000);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, renter));
        escrow.returnBond(id, renter);
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroReceiver.selector));
        escrow.returnBond(id, address(0));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 99));
        escrow.returnBond(99, provider);
        vm.stopPrank();
    }
}
