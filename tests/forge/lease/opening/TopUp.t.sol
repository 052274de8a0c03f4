// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {ITreasury} from "contracts/interfaces/ITreasury.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Adding to the deposit
contract TopUp is Lettings {
    function test_top_up__moves_the_stop() public {
        uint256 id = live(0, 1_000);
        uint256 stop = escrow.lease(id).stop;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseToppedUp(id, costOf(RATE, 70), uint40(stop) + 70);
        vm.prank(renter);
        escrow.topUp(id, costOf(RATE, 70));
        eq(escrow.lease(id).stop, stop + 70, "moved");
        eq(escrow.lease(id).deposit, costOf(RATE, 1_070), "deposit");
        eq(escrow.owed(address(usd)), costOf(RATE, 1_070), "owed");
    }

    function test_a_top_up_in_the_last_second__counts_and_a_second_later_reverts() public {
        uint256 id = live(0, 1_000);
        uint256 stop = escrow.lease(id).stop;
        vm.startPrank(renter);
        vm.warp(stop - 1);
        escrow.topUp(id, costOf(RATE, 10));
        eq(escrow.lease(id).stop, stop + 10, "moved");
        vm.warp(stop + 10);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Ended
            )
        );
        escrow.topUp(id, 1);
        vm.stopPrank();
    }

    function test_top_up__to_the_longest__and_no_further() public {
        uint256 id = live(0, 1_000);
        uint96 room = costOf(RATE, 99_000);
        vm.startPrank(renter);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DepositTooLarge.selector,
                costOf(RATE, 100_000) + 1,
                costOf(RATE, 100_000)
            )
        );
        escrow.topUp(id, room + 1);
        escrow.topUp(id, room);
        vm.stopPrank();
        eq(escrow.lease(id).stop, escrow.lease(id).start + 100_000, "the longest");
    }

    /// @dev The longest term may cost more than a deposit can hold.
    function test_top_up__to_the_largest_deposit__and_no_further() public {
        ILeaseEscrow.Offer memory offer = offerOf(device, address(usd), 1e38);
        (offer.minDuration, offer.maxDuration) = (0, 4e9);
        usd.mint(renter, 1e22);
        uint256 id = live(offer, 1e22);
        uint96 room = type(uint96).max - 1e22;
        usd.mint(renter, room);
        vm.startPrank(renter);
        escrow.topUp(id, room);
        eq(escrow.lease(id).deposit, type(uint96).max, "full");
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DepositTooLarge.selector, uint256(1) << 96, type(uint96).max
            )
        );
        escrow.topUp(id, 1);
        vm.stopPrank();
    }

    function test_top_up__of_nothing__reverts() public {
        uint256 id = live(0, 1_000);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.LeaseEscrow_ZeroAmount.selector));
        escrow.topUp(id, 0);
    }

    function test_top_up__by_another__reverts() public {
        uint256 id = live(0, 1_000);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, provider));
        escrow.topUp(id, 1);
    }

    /// @dev It would move a stop that the renter has fixed by leaving.
    function test_top_up__after_leaving_early__reverts() public {
        uint256 id = live(600, 2_000);
        leaveEarly(id);
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_LeftEarly.selector, id));
        escrow.topUp(id, 1);
    }

    function test_top_up__pending__reverts() public {
        uint256 id = pending();
        vm.prank(renter);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Pending
            )
        );
        escrow.topUp(id, 1);
    }
}
