// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Giving a pending lease up
contract Cancel is Lettings {
    function test_a_pending_lease__can_always_be_cancelled_for_all_of_it() public {
        uint256 id = pending();
        vm.prank(GUARDIAN);
        escrow.pauseEntry(14 days);
        escrow.delistToken(address(usd));
        uint256 before = usd.balanceOf(renter);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LeaseCancelled(id, DEPOSIT);
        vm.startPrank(renter);
        escrow.cancel(id);
        statusIs(id, ILeaseEscrow.Status.Cancelled, "cancelled");
        eq(escrow.refundable(id), DEPOSIT, "due");
        escrow.refund(id, renter);
        eq(usd.balanceOf(renter) - before, DEPOSIT, "all of it");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.refund(id, renter);
        vm.stopPrank();
    }

    function test_cancel__done__keeps_no_offer() public {
        uint256 id = pending();
        vm.prank(renter);
        escrow.cancel(id);
        ILeaseEscrow.Lease memory l = escrow.lease(id);
        eq(bytes32(l.offerHash), 0, "no offer");
        eq(l.openedBlock, 0, "no block");
        eq(l.deposit, DEPOSIT, "the deposit");
        eq(escrow.streamed(id) + escrow.claimable(id) + escrow.bondReturnable(id), 0, "nothing of a start");
    }

    function test_cancel__by_another__reverts() public {
        uint256 id = pending();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotParty.selector, id, provider));
        escrow.cancel(id);
    }

    function test_cancel__twice_started_or_unknown__reverts() public {
        uint256 id = pending();
        vm.startPrank(renter);
        escrow.cancel(id);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Cancelled
            )
        );
        escrow.cancel(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_UnknownLease.selector, 9));
        escrow.cancel(9);
        vm.stopPrank();
        id = live(0, 100);
        vm.prank(renter);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseEscrow.LeaseEscrow_WrongStatus.selector, id, ILeaseEscrow.Status.Active
            )
        );
        escrow.cancel(id);
    }
}
