// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Several devices under one lease: all or none, and the worst of them counts
contract Nodes is Lettings {
    function test_start__one_device_of_the_node_leased__takes_none() public {
        uint256 other = live(offerOf(node[2], address(usd), RATE), DEPOSIT);
        uint256 id = openLease(nodeOffer(), 0, DEPOSIT);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceLeased.selector, node[2], other)
        );
        startLease(id);
        eq(escrow.activeLease(node[0]), 0, "free");
        eq(escrow.activeLease(node[1]), 0, "free");
    }

    function test_start__a_device_of_a_leased_node__reverts() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        uint256 other = openLease(offerOf(node[1], address(usd), RATE), 0, DEPOSIT);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceLeased.selector, node[1], id)
        );
        startLease(other);
    }

    function test_end__of_a_node__frees_all_of_it() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        vm.warp(block.timestamp + 600);
        vm.prank(renter);
        escrow.end(id);
        for (uint256 i = 0; i < 3; ++i) eq(escrow.activeLease(node[i]), 0, "free");
        startLease(openLease(nodeOffer(), 0, DEPOSIT));
    }

    /// @dev Of eight of which one is dark, that one counts: the renter picks the worst line, once an epoch.
    function test_a_node_of_which_one_is_dark__is_refunded_as_a_whole() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        IEpochOracle.DeviceLeaf[] memory lines = new IEpochOracle.DeviceLeaf[](4);
        lines[0] = leasedLeaf(1, node[0], 10_000);
        lines[1] = leasedLeaf(1, node[1], 0);
        lines[2] = leasedLeaf(1, node[2], 9_000);
        lines[3] = leasedLeaf(1, device, 0);
        measure(1, lines, 700);
        vm.warp(startOf(2));
        downtime(id, lines[1]);
        eq(escrow.refundable(id), streamOf(RATE, 1_000), "the whole rate");
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_EpochAlreadyRefunded.selector, 1)
        );
        downtime(id, lines[2]);
        vm.expectRevert(abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotOfLease.selector, id, device));
        downtime(id, lines[3]);
    }

    function test_a_node_dark_by_turns__sets_its_renter_free() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        measure(1, node[0], 6_000);
        measure(2, node[2], 9_000);
        downtime(id, leasedLeaf(1, node[0], 6_000));
        downtime(id, leasedLeaf(2, node[2], 9_000));
        eq(escrow.lease(id).downtime, 500, "both count");
    }

    function test_a_node_of_sixteen__is_leased_and_freed_together() public {
        bytes32[] memory ids = enrolNode(10, 16);
        measure(1, passedLeaves(1, ids), 700);
        uint256 id = openLease(offerOf(ids, address(usd), RATE), 1, DEPOSIT);
        startLease(id);
        eq(escrow.lease(id).devices, 16, "all");
        for (uint256 i = 0; i < 16; ++i) eq(escrow.activeLease(ids[i]), id, "leased");
        vm.warp(escrow.lease(id).stop);
        for (uint256 i = 0; i < 16; ++i) eq(escrow.activeLease(ids[i]), 0, "free");
    }

    /// @dev The floor of any one of them cancels it.
    function test_a_floor_on_one_device__cancels_offers_of_the_node() public {
        vm.prank(provider);
        escrow.cancelOffers(node[2], 2);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_OfferCancelled.selector, node[2], 1, 2)
        );
        tryOpen(nodeOffer(), DEPOSIT);
        openLease(offerOf(node[1], address(usd), RATE), 0, DEPOSIT);
        ILeaseEscrow.Offer memory next = nodeOffer();
        next.nonce = 2;
        openLease(next, 0, DEPOSIT);
    }
}
