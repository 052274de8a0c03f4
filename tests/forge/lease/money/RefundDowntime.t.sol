// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Refunds of attested downtime: whose, of which seconds, when, how often
contract RefundDowntime is Lettings {
    function test_refund_downtime__of_a_whole_epoch__credits_its_share() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 7_500);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.DowntimeRefunded(id, 1, device, streamOf(RATE, 250), 250);
        downtime(id, leasedLeaf(1, device, 7_500));
        ILeaseEscrow.Lease memory l = escrow.lease(id);
        eq(l.downtimeRefund, streamOf(RATE, 250), "a quarter");
        eq(l.downtime, 250, "seconds");
        eq(escrow.refundable(id), streamOf(RATE, 250), "due at once");
        vm.warp(block.timestamp + 100_000);
        eq(escrow.claimable(id), streamOf(RATE, 9_750), "the provider's");
    }

    /// @dev Each once, whatever the order.
    function test_downtime__of_epochs_out_of_order__is_refunded_each_once() public {
        uint256 id = live(0, 10_000);
        for (uint64 e = 1; e < 4; ++e) measure(e, device, 9_000);
        uint8[3] memory order = [2, 1, 3];
        for (uint256 i = 0; i < 3; ++i) {
            downtime(id, leasedLeaf(order[i], device, 9_000));
            vm.expectRevert(
                abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochAlreadyRefunded.selector, order[i])
            );
            downtime(id, leasedLeaf(order[i], device, 9_000));
        }
        eq(escrow.refundable(id), streamOf(RATE, 300), "three tenths of an epoch");
        for (uint64 e = 1; e < 4; ++e) {
            vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochAlreadyRefunded.selector, e));
            downtime(id, leasedLeaf(e, device, 9_000));
        }
    }

    /// @dev Of a lease begun and ended in mid-epoch, whatever the seconds.
    function test_downtime__of_parts_of_epochs__is_of_the_seconds_in_common(uint256 after_, uint256 length, uint16 up)
        public
    {
        after_ = within(after_, 0, 999);
        length = within(length, 60, 1_999);
        up = uint16(within(up, 0, 9_000));
        vm.warp(startOf(1) + after_);
        uint256 id = live(0, uint40(length));
        (uint256 start, uint256 stop) = (block.timestamp, block.timestamp + length);
        uint256 sum;
        for (uint64 e = 1; e < 4 && startOf(e) < stop; ++e) {
            if (e == 1) measureLate(e, up);
            else measure(e, device, up);
            uint256 from = start > startOf(e) ? start : startOf(e);
            uint256 to = stop < startOf(e + 1) ? stop : startOf(e + 1);
            uint256 down = ((to - from) * (10_000 - up)) / 10_000;
            if (down == 0) continue;
            downtime(id, leasedLeaf(e, device, up));
            sum += streamOf(RATE, down);
        }
        eq(escrow.lease(id).downtimeRefund, sum, "the seconds in common");
        atMost(sum, escrow.streamed(id), "of what was streamed");
    }

    /// @dev The epoch was opened in time, by somebody else; the test's clock had gone on.
    function measureLate(uint64 epoch, uint16 up) internal {
        vm.warp(startOf(epoch));
        measure(epoch, device, up);
    }

    /// @dev The device is found down after the lease is over; what was within it counts.
    function test_downtime__said_of_a_device_not_leased_any_more__counts_all_the_same() public {
        vm.warp(startOf(1) + 1);
        uint256 id = live(0, 500);
        IEpochOracle.DeviceLeaf memory leaf = passedLeaf(1, device);
        (leaf.flags, leaf.uptimeBps) = (16, 0);
        vm.warp(startOf(1));
        measure(1, one(leaf), 700);
        downtime(id, leaf);
        eq(escrow.refundable(id), DEPOSIT / 20, "all of it");
    }

    function test_downtime_of_another_device__is_not_refunded() public {
        uint256 id = live(0, 10_000);
        IEpochOracle.DeviceLeaf[] memory lines = new IEpochOracle.DeviceLeaf[](2);
        (lines[0], lines[1]) = (leasedLeaf(1, device, 9_000), leasedLeaf(1, node[0], 0));
        measure(1, lines, 1_000);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotOfLease.selector, id, node[0])
        );
        downtime(id, lines[1]);
        downtime(id, lines[0]);
        eq(escrow.lease(id).downtimeRefund, streamOf(RATE, 100), "its own");
    }

    function test_downtime__that_no_report_says__is_not_refunded() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 9_000);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, device, uint64(1))
        );
        downtime(id, leasedLeaf(1, device, 8_999));
    }

    function test_downtime__with_another_offer__reverts() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 0);
        ILeaseEscrow.Offer memory other = offerOfLease(id);
        other.deviceIds = node;
        vm.prank(renter);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_OtherOffer.selector, id, keccak256(offerEncoded(other))
            )
        );
        escrow.refundDowntime(id, other, leasedLeaf(1, node[0], 0), new bytes32[](0));
    }

    function test_downtime__of_an_epoch_before_or_after_the_lease__reverts() public {
        measure(1, device, 0);
        uint256 id = live(0, 1_000);
        bytes memory outside = abi.encodeWithSelector(
            ILeaseErrors.LeaseEscrow_EpochOutsideLease.selector, 1, block.timestamp, block.timestamp + 1_000
        );
        vm.expectRevert(outside);
        downtime(id, leasedLeaf(1, device, 0));
        measure(2, device, 0);
        measure(3, device, 0);
        outside = abi.encodeWithSelector(
            ILeaseErrors.LeaseEscrow_EpochOutsideLease.selector, 3, startOf(2), startOf(3)
        );
        vm.expectRevert(outside);
        downtime(id, leasedLeaf(3, device, 0));
        downtime(id, leasedLeaf(2, device, 0));
    }

    function test_refund_of_an_epoch_that_is_not_over__reverts() public {
        uint256 id = live(0, 10_000);
        measure(1, one(leasedLeaf(1, device, 0)), 700);
        bytes memory early = abi.encodeWithSelector(
            ILeaseErrors.LeaseEscrow_EpochNotOver.selector, 1, startOf(2), block.timestamp
        );
        vm.expectRevert(early);
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(2) - 1);
        early =
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochNotOver.selector, 1, startOf(2), startOf(2) - 1);
        vm.expectRevert(early);
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(2));
        downtime(id, leasedLeaf(1, device, 0));
    }

    /// @dev A top-up in the last second would make a refund of seconds that are still to come.
    function test_refund_of_the_last_epoch__before_the_stop__reverts() public {
        uint256 id = live(0, 900);
        measure(1, one(leasedLeaf(1, device, 0)), 700);
        vm.warp(startOf(1) + 899);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_EpochNotOver.selector, 1, startOf(1) + 900, startOf(1) + 899
            )
        );
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(1) + 900);
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), costOf(RATE, 900), "all of it");
    }

    function test_downtime_after_the_money_may_be_gone__reverts() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 0);
        vm.warp(startOf(1) + HOLDBACK + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DowntimeTooOld.selector, 1, startOf(1) + HOLDBACK, block.timestamp
            )
        );
        downtime(id, leasedLeaf(1, device, 0));
        vm.warp(startOf(1) + HOLDBACK);
        eq(escrow.claimable(id), 0, "no claim has reached the epoch");
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), streamOf(RATE, 1_000), "the epoch whole");
    }

    /// @dev The first epoch's last second for a refund counts from the lease's first second in it.
    function test_downtime__of_the_first_part_of_an_epoch__is_open_a_holdback_from_the_start() public {
        vm.warp(startOf(1) + 400);
        uint256 id = live(0, 10_000);
        vm.warp(startOf(1));
        measure(1, device, 0);
        vm.warp(startOf(1) + 400 + HOLDBACK);
        eq(escrow.claimable(id), 0, "no claim has reached it");
        downtime(id, leasedLeaf(1, device, 0));
        eq(escrow.refundable(id), streamOf(RATE, 600), "from the start");
    }

    function test_a_void_epoch__lets_no_claim_pass_a_refund() public {
        // The latest moment at which an epoch can be reported comes before any claim reaches its first second.
        atMost(2 * EPOCH + REPORT_BY, HOLDBACK, "with two epochs to spare");
        uint256 id = live(0, 10_000);
        openEpoch(1);
        vm.warp(startOf(1) + SEAL_BY + 1);
        oracle.voidEpoch(1);
        vm.warp(startOf(2));
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, device, uint64(1))
        );
        downtime(id, leasedLeaf(1, device, 0));
        measure(2, one(leasedLeaf(2, device, 0)), REPORT_BY);
        downtime(id, leasedLeaf(2, device, 0));
        eq(escrow.refundable(id), streamOf(RATE, 1_000), "the next epoch is refunded in full");
    }

    function test_downtime__of_less_than_a_second_or_none__reverts() public {
        vm.warp(startOf(2) - 60);
        uint256 id = live(0, 1_000);
        vm.warp(startOf(1));
        measure(1, device, 9_990);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NoDowntime.selector, 1, 9_990));
        downtime(id, leasedLeaf(1, device, 9_990));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NoDowntime.selector, 1, 10_000));
        downtime(id, leasedLeaf(1, device, 10_000));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NoDowntime.selector, 1, 10_001));
        downtime(id, leasedLeaf(1, device, 10_001));
    }

    function test_downtime__of_a_lease_unknown_or_not_started__reverts() public {
        uint256 id = pending();
        measure(1, device, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochOutsideLease.selector, 1, 0, 0)
        );
        downtime(id, leasedLeaf(1, device, 0));
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRefunder.selector, 99, renter));
        downtime(99, leasedLeaf(1, device, 0));
    }

    function tryAs(address who, uint256 id, IEpochOracle.DeviceLeaf memory leaf) internal {
        bytes32[] memory proof = proofOf(leaf);
        vm.prank(who);
        escrow.refundDowntime(id, offerOfLease(id), leaf, proof);
    }

    function test_downtime__submitted_by_another__reverts() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRefunder.selector, id, provider));
        tryAs(provider, id, leasedLeaf(1, device, 0));
    }

    function test_downtime__submitted_by_a_named_refunder__counts_until_it_is_unnamed() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 0);
        measure(2, device, 0);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.RefunderNamed(renter, operator, true);
        vm.prank(renter);
        escrow.nameRefunder(operator, true);
        isTrue(escrow.isRefunder(renter, operator), "named");
        isTrue(!escrow.isRefunder(operator, renter), "by the renter");
        tryAs(operator, id, leasedLeaf(1, device, 0));
        vm.prank(renter);
        escrow.nameRefunder(operator, false);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRefunder.selector, id, operator));
        tryAs(operator, id, leasedLeaf(2, device, 0));
    }

    /// @dev Another's naming counts for nothing.
    function test_downtime__submitted_by_one_whom_the_provider_named__reverts() public {
        uint256 id = live(0, 10_000);
        measure(1, device, 0);
        vm.prank(provider);
        escrow.nameRefunder(provider, true);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRefunder.selector, id, provider));
        tryAs(provider, id, leasedLeaf(1, device, 0));
    }

    function test_downtime__after_the_renter_left_early__is_refunded_to_the_stop() public {
        uint256 id = live(3_000, 10_000);
        vm.warp(startOf(2));
        leaveEarly(id);
        measure(2, device, 0);
        downtime(id, leasedLeaf(2, device, 0));
        eq(escrow.lease(id).downtimeRefund, streamOf(RATE, 1_000), "it pays for it, so it is refunded");
    }
}
