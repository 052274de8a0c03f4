// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title What is forfeited to the network: held, then settled or forgiven
contract Forfeit is Lettings {
    uint256 internal constant FORFEIT = 6_601_000; // seconds not served of the minimum, and 601 of downtime

    /// @dev A lease that its renter has ended, free by downtime.
    function forfeited() internal returns (uint256 id) {
        id = live(8_000, 10_000);
        measure(1, device, 4_000);
        measure(2, device, 9_990);
        downtime(id, leasedLeaf(1, device, 4_000));
        downtime(id, leasedLeaf(2, device, 9_990));
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.forfeitable(id), FORFEIT, "the network's");
    }

    function settledAt(uint256 id) internal view returns (uint256) {
        return escrow.lease(id).stop + HOLDBACK + SLASH_HOLD;
    }

    function returned(uint256 id) internal returns (uint256) {
        vm.prank(provider);
        return escrow.returnBond(id, provider);
    }

    function test_settle_forfeit__after_its_hold__is_among_the_fees() public {
        uint256 id = forfeited();
        uint256 until = settledAt(id);
        vm.warp(until - 1);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BondHeld.selector, id, until, until - 1)
        );
        escrow.settleForfeit(id);
        vm.warp(until);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.ForfeitSettled(id, FORFEIT);
        escrow.settleForfeit(id);
        eq(escrow.fees(address(usd)), FORFEIT, "fees");
        eq(escrow.forfeitable(id), 0, "settled");
        eq(escrow.lease(id).forfeitable, 0, "settled");
        eq(returned(id), 8_000_000 - FORFEIT, "the rest of the bond, before or after");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ForfeitClosed.selector, id));
        escrow.settleForfeit(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ForfeitClosed.selector, id));
        escrow.forgiveForfeit(id);
    }

    function test_the_bond_returned_first__leaves_the_forfeit_to_be_settled() public {
        uint256 id = forfeited();
        vm.warp(settledAt(id));
        eq(returned(id), 8_000_000 - FORFEIT, "less the forfeit");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
        escrow.settleForfeit(id);
        eq(escrow.fees(address(usd)), FORFEIT, "fees");
    }

    function test_forgive_forfeit__before_the_bond_returns__comes_with_it() public {
        uint256 id = forfeited();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.ForfeitForgiven(id, FORFEIT);
        escrow.forgiveForfeit(id);
        eq(escrow.forfeitable(id), 0, "forgiven");
        eq(escrow.bondReturnable(id), 0, "held all the same");
        vm.warp(escrow.lease(id).stop + HOLDBACK);
        eq(escrow.bondReturnable(id), 8_000_000, "all of it");
        eq(returned(id), 8_000_000, "all of it");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
    }

    function test_forgive_forfeit__after_the_bond_returned__is_returned_by_itself() public {
        uint256 id = forfeited();
        vm.warp(escrow.lease(id).stop + HOLDBACK);
        eq(returned(id), 8_000_000 - FORFEIT, "less the forfeit");
        escrow.forgiveForfeit(id);
        eq(returned(id), FORFEIT, "the forfeit");
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        returned(id);
        eq(escrow.owed(address(usd)), 10_000_000, "the deposit is left");
    }

    function test_forgive_forfeit__twice_or_settled_afterwards__reverts() public {
        uint256 id = forfeited();
        escrow.forgiveForfeit(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ForfeitClosed.selector, id));
        escrow.forgiveForfeit(id);
        vm.warp(settledAt(id));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ForfeitClosed.selector, id));
        escrow.settleForfeit(id);
    }

    function test_forgive_forfeit__by_another_than_governance__reverts() public {
        uint256 id = forfeited();
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", provider));
        escrow.forgiveForfeit(id);
    }

    function test_forfeit__of_nothing__is_neither_settled_nor_forgiven() public {
        uint256 id = live(600, 1_000);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.settleForfeit(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, id));
        escrow.forgiveForfeit(id);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NothingDue.selector, 99));
        escrow.settleForfeit(99);
    }

    /// @dev While the lease runs more can come to it.
    function test_settle_forfeit__of_a_lease_that_runs__reverts() public {
        uint256 id = live(8_000, 90_000);
        slashDevice(device);
        eq(escrow.forfeitable(id), costOf(RATE, 8_000), "all of it");
        uint256 until = settledAt(id);
        eq(until, block.timestamp + 90_000 + HOLDBACK + SLASH_HOLD, "from its stop");
        vm.warp(block.timestamp + HOLDBACK + SLASH_HOLD);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_BondHeld.selector, id, until, block.timestamp)
        );
        escrow.settleForfeit(id);
    }

    function test_forfeit__of_a_slash_that_a_fault_in_a_verifier_made__can_be_given_back() public {
        uint256 id = live(600, 10_000);
        slashDevice(device);
        vm.prank(renter);
        escrow.end(id);
        escrow.forgiveForfeit(id);
        vm.warp(block.timestamp + HOLDBACK);
        eq(returned(id), costOf(RATE, 600), "the bond, whole");
    }
}
