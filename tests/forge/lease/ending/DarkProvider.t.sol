// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title A provider that goes dark instead of leaving, and whatever it may try meanwhile
contract DarkProvider is Lettings {
    function ended(uint256 id, address by) internal {
        vm.prank(by);
        escrow.end(id);
    }

    /// @dev Over the limit by a second, as two reports attest it.
    function darkened(uint256 id) internal {
        measure(1, device, 4_000);
        measure(2, device, 9_990);
        downtime(id, leasedLeaf(1, device, 4_000));
        eq(escrow.forfeitable(id), 0, "at the limit, not over it");
        downtime(id, leasedLeaf(2, device, 9_990));
    }

    function test_a_provider_who_goes_dark_instead_of_leaving__loses_bond_and_renter() public {
        uint256 id = live(8_000, 10_000);
        darkened(id);
        eq(escrow.forfeitable(id), costOf(RATE, 8_000 - 2_000 + 601), "what was not served, downtime being no service");
        ended(id, renter);
        eq(escrow.lease(id).stop, block.timestamp, "free before the minimum");
        eq(escrow.refundable(id), costOf(RATE, 8_000) + streamOf(RATE, 601), "rest and downtime, and no bond");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 1_399), "for what was served");
        eq(escrow.claimable(id), streamOf(RATE, 2_000 - 601), "and its rent");
    }

    function test_downtime_at_the_limit__sets_nobody_free() public {
        uint256 id = live(5_000, 10_000);
        measure(1, device, 4_000);
        downtime(id, leasedLeaf(1, device, 4_000));
        eq(escrow.lease(id).downtime, MAX_DOWNTIME, "exactly the limit");
        uint256 state = vm.snapshotState();
        ended(id, renter);
        eq(escrow.lease(id).stop, escrow.lease(id).start + 5_000, "the renter pays to the minimum");
        vm.revertToState(state);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, costOf(RATE, 4_000), "the provider forfeits what was not served");
    }

    /// @dev It has two dark epochs and a third with a tenth of a second. Only the renter chooses what is submitted, and none shuts
    /// out another.
    function test_a_better_epoch_submitted_first__shuts_out_no_worse_one() public {
        uint256 id = live(8_000, 10_000);
        measure(1, device, 0);
        measure(2, device, 0);
        measure(3, device, 9_990);
        ILeaseEscrow.Offer memory offer = offerOfLease(id);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRefunder.selector, id, provider));
        escrow.refundDowntime(id, offer, leasedLeaf(3, device, 9_990), new bytes32[](0));
        downtime(id, leasedLeaf(3, device, 9_990));
        downtime(id, leasedLeaf(1, device, 0));
        downtime(id, leasedLeaf(2, device, 0));
        eq(escrow.lease(id).downtimeRefund, streamOf(RATE, 2_001), "all of it");
    }

    /// @dev Dark from the first second; the renter's tool gives up after three minutes, before anything is attested.
    function test_dark_right_after_the_start__and_left_at_once__costs_the_renter_nothing() public {
        uint256 id = live(8_000, 10_000);
        vm.warp(startOf(1) + 180);
        leaveEarly(id);
        for (uint64 e = 1; e < 9; ++e) {
            vm.warp(startOf(e));
            measure(e, device, 0);
            downtime(id, leasedLeaf(e, device, 0));
        }
        eq(escrow.refundable(id), DEPOSIT, "all of it");
        eq(escrow.forfeitable(id), costOf(RATE, 8_000), "the bond, whole");
        vm.warp(block.timestamp + 100_000);
        eq(escrow.claimable(id) + escrow.bondReturnable(id), 0, "nothing is the provider's");
    }

    /// @dev Or it ends again as soon as it is free, and need not submit any more.
    function test_left_early__and_free_since__ends_again_for_nothing() public {
        uint256 id = live(8_000, 10_000);
        leaveEarly(id);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        ended(id, renter);
        statusIs(id, ILeaseEscrow.Status.Ended, "over");
        eq(escrow.lease(id).stop, startOf(2), "now");
        isTrue(!escrow.lease(id).leftEarly, "and not before the time it owed");
        eq(escrow.refundable(id), DEPOSIT, "all of it");
        eq(escrow.forfeitable(id), costOf(RATE, 8_000), "nothing of the bond was served");
    }

    /// @dev Whoever has root on a machine must not earn by taking it down.
    function test_a_dark_provider_who_ends__enriches_no_renter() public {
        uint256 id = live(8_000, 10_000);
        darkened(id);
        uint256 forfeit = escrow.forfeitable(id);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, 0, "nothing to the renter");
        eq(escrow.forfeitable(id), forfeit, "all of it to the network");
    }

    /// @dev The provider left first, and paid the renter for that; what the downtime forfeits beyond it is the network's.
    function test_downtime_attested_after_the_provider_left__adds_to_the_forfeit() public {
        uint256 id = live(8_000, 10_000);
        measure(1, device, 3_000);
        ended(id, provider);
        eq(escrow.lease(id).forfeited, costOf(RATE, 7_000), "what was not served");
        downtime(id, leasedLeaf(1, device, 3_000));
        eq(escrow.lease(id).forfeited, costOf(RATE, 7_000), "the renter's as before");
        eq(escrow.forfeitable(id), costOf(RATE, 700), "the downtime");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 300), "the rest");
    }

    /// @dev A provider that comes back and serves makes up for it.
    function test_a_provider_who_comes_back__keeps_the_bond_for_what_it_serves() public {
        uint256 id = live(3_000, 10_000);
        measure(1, device, 0);
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.forfeitable(id), costOf(RATE, 3_000), "nothing served");
        vm.warp(startOf(3));
        eq(escrow.forfeitable(id), costOf(RATE, 2_000), "a third");
        vm.warp(startOf(5));
        eq(escrow.forfeitable(id), 0, "the minimum, without the downtime");
    }

    function test_forfeit_to_the_network__is_announced_as_it_stands() public {
        uint256 id = live(8_000, 10_000);
        measure(1, device, 0);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.BondForfeited(id, costOf(RATE, 8_000));
        downtime(id, leasedLeaf(1, device, 0));
    }
}
