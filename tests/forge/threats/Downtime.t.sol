// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFormerEscrow} from "contracts/interfaces/IFormerEscrow.sol";

import {Market} from "../base/Market.sol";

/// @title Threats on the escrow: downtime
contract DowntimeThreats is Market {
    uint128 internal constant RATE = 1_000e18; // 1,000 base units a second
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
        approveBoth(usd, 1e15);
        runEpoch(0, noLeaves(), one(passedLeaf(0, device)), 700);
    }

    function live(uint40 minDuration, uint40 seconds_) internal returns (uint256 id) {
        IFormerEscrow.Offer memory offer = offerOf(device, address(usd), RATE);
        offer.minDuration = minDuration;
        id = openLease(offer, 0, costOf(RATE, seconds_));
        startLease(id);
    }

    function due(uint256 id) internal view returns (uint256) {
        return escrow.claimable(id);
    }

    function test_a_provider_who_goes_dark_instead_of_leaving__loses_bond_and_renter() public {
        vm.warp(startOf(1));
        uint256 id = live(2_500, 10_000);
        runEpoch(1, noLeaves(), one(leasedLeaf(1, device, 4_000)), 1_000);
        downtime(id, leasedLeaf(1, device, 4_000));
        eq(escrow.lease(id).downtime, 600, "at the limit");
        eq(escrow.lease(id).forfeited, 0, "not over it");
        runEpoch(2, noLeaves(), one(leasedLeaf(2, device, 9_990)), 1_000);
        downtime(id, leasedLeaf(2, device, 9_990));
        eq(escrow.lease(id).forfeited, escrow.lease(id).bond, "the whole bond");
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.lease(id).stop, block.timestamp, "free before the minimum");
        eq(escrow.streamed(id), streamOf(RATE, 2_000), "two epochs");
        eq(
            escrow.refundable(id),
            costOf(RATE, 8_000) + streamOf(RATE, 601) + escrow.lease(id).bond,
            "rest, downtime, bond"
        );
        vm.warp(block.timestamp + 100_000);
        eq(due(id), streamOf(RATE, 2_000) - streamOf(RATE, 601), "the provider's");
        eq(escrow.bondReturnable(id), 0, "no bond left");
    }

    function test_downtime_refunded_twice_or_out_of_order__reverts() public {
        vm.warp(startOf(1));
        uint256 id = live(0, 10_000);
        runEpoch(1, noLeaves(), one(leasedLeaf(1, device, 9_000)), 1_000);
        runEpoch(2, noLeaves(), one(leasedLeaf(2, device, 9_000)), 1_000);
        downtime(id, leasedLeaf(2, device, 9_000));
        eq(escrow.refundable(id), streamOf(RATE, 100), "a tenth of an epoch");
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_EpochOutOfOrder.selector);
        downtime(id, leasedLeaf(2, device, 9_000));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_EpochOutOfOrder.selector);
        downtime(id, leasedLeaf(1, device, 9_000));
    }

    function test_downtime_of_another_lease_device_or_epoch__reverts() public {
        vm.warp(startOf(1) + 1);
        uint256 id = live(0, 10_000);
        runEpoch(2, noLeaves(), one(leasedLeaf(2, device, 9_000)), 1_000);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_EpochOutsideLease.selector);
        downtime(id, leasedLeaf(1, device, 9_000));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotInReport.selector);
        downtime(id, leasedLeaf(2, keccak256("other"), 9_000));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotInReport.selector);
        downtime(id, leasedLeaf(2, device, 8_000));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NotLeasedInReport.selector);
        downtime(id, passedLeaf(2, device));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_NoDowntime.selector);
        downtime(id, leasedLeaf(2, device, 10_000));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_WrongStatus.selector);
        downtime(99, leasedLeaf(2, device, 9_000));
    }

    function test_downtime_after_the_money_may_be_gone__reverts() public {
        vm.warp(startOf(1));
        uint256 id = live(0, 10_000);
        runEpoch(1, noLeaves(), one(leasedLeaf(1, device, 0)), 1_000);
        vm.warp(startOf(1) + HOLDBACK + 1);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DowntimeTooOld.selector);
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(1) + HOLDBACK);
        eq(due(id), 0, "no claim has reached the epoch");
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), streamOf(RATE, 1_000), "the epoch whole");
    }

    function test_a_void_epoch__lets_no_claim_pass_a_refund() public {
        // The latest moment at which an epoch can be reported comes before any claim reaches its first second.
        atMost(REPORT_BY + 1, HOLDBACK, "report before claim");
        atMost(2 * EPOCH + REPORT_BY, HOLDBACK, "with two epochs to spare");
        vm.warp(startOf(1));
        uint256 id = live(0, 10_000);
        openEpoch(1);
        vm.warp(startOf(1) + SEAL_BY + 1);
        oracle.voidEpoch(1);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_DeviceNotInReport.selector);
        vm.warp(startOf(2));
        downtime(id, leasedLeaf(1, device, 0));
        runEpoch(2, noLeaves(), one(leasedLeaf(2, device, 0)), REPORT_BY);
        downtime(id, leasedLeaf(2, device, 0));
        eq(escrow.refundable(id), streamOf(RATE, 1_000), "the next epoch is refunded in full");
    }

    function test_refund_of_an_epoch_that_is_not_over__reverts() public {
        vm.warp(startOf(1));
        uint256 id = live(0, 10_000);
        runEpoch(1, noLeaves(), one(leasedLeaf(1, device, 0)), 700);
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_EpochOutsideLease.selector);
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(2));
        downtime(id, leasedLeaf(1, device, 0));
    }

    function test_downtime_after_the_renter_has_left__is_not_refunded() public {
        vm.warp(startOf(1));
        uint256 id = live(3_000, 10_000);
        vm.warp(startOf(2));
        vm.prank(renter);
        escrow.end(id);
        eq(escrow.lease(id).stop, startOf(4), "pays to the minimum");
        eq(escrow.lease(id).endedAt, startOf(2), "left before");
        runEpoch(2, noLeaves(), one(leasedLeaf(2, device, 0)), 990);
        vm.warp(startOf(3));
        vm.expectPartialRevert(IFormerEscrow.LeaseEscrow_EpochOutsideLease.selector);
        downtime(id, leasedLeaf(2, device, 0));
    }
}
