// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title Opening a lease: which devices can be leased, and on what measurement
contract OpenMeasured is Lettings {
    /// @dev With these lines and their proofs, if they have any, for a node.
    function refused(IEpochOracle.DeviceLeaf[] memory leaves, bytes memory why) internal {
        refused(nodeOffer(), leaves, why);
    }

    function refused(ILeaseEscrow.Offer memory offer, IEpochOracle.DeviceLeaf[] memory leaves, bytes memory why)
        internal
    {
        bytes memory signature = signOffer(offer);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.expectRevert(why);
        tryOpen(offer, signature, DEPOSIT, leaves, proofs);
    }

    function good() internal view returns (IEpochOracle.DeviceLeaf[] memory) {
        return passedLeaves(0, node);
    }

    function count(uint256 devices, uint256 leaves) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_LeafCount.selector, devices, leaves);
    }

    function test_open__fewer_or_more_leaves_than_devices__reverts() public {
        IEpochOracle.DeviceLeaf[] memory leaves = new IEpochOracle.DeviceLeaf[](2);
        (leaves[0], leaves[1]) = (good()[0], good()[1]);
        refused(leaves, count(3, 2));
        refused(passedLeaves(0, all()), count(3, 4));
    }

    function test_open__fewer_or_more_proofs_than_leaves__reverts() public {
        ILeaseEscrow.Offer memory offer = nodeOffer();
        bytes memory signature = signOffer(offer);
        vm.expectRevert(count(2, 3));
        tryOpen(offer, signature, DEPOSIT, good(), new bytes32[][](2));
        vm.expectRevert(count(4, 3));
        tryOpen(offer, signature, DEPOSIT, good(), new bytes32[][](4));
    }

    function test_open__no_devices__reverts() public {
        refused(offerOf(new bytes32[](0), address(usd), RATE), new IEpochOracle.DeviceLeaf[](0), count(0, 0));
    }

    function test_open__leaves_in_another_order__reverts() public {
        IEpochOracle.DeviceLeaf[] memory leaves = good();
        (leaves[1], leaves[2]) = (leaves[2], leaves[1]);
        refused(
            leaves,
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, node[1], uint64(0))
        );
    }

    function test_an_offer_for_another_device__reverts() public {
        refused(
            offerOf(enrol(9, 1), address(usd), RATE),
            one(passedLeaf(0, device)),
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, enrolledId(9), uint64(0)
            )
        );
        refused(
            offerOf(enrolledId(9), address(usd), RATE),
            one(passedLeaf(0, enrolledId(9))),
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, enrolledId(9), uint64(0)
            )
        );
    }

    function enrolledId(uint256 i) internal view returns (bytes32) {
        return registry.deviceIdOf(provider, vm.addr(DEVICE_KEY + i));
    }

    function test_open__devices_measured_in_two_epochs__reverts() public {
        measureAll(1);
        IEpochOracle.DeviceLeaf[] memory leaves = good();
        leaves[2] = passedLeaf(1, node[2]);
        refused(
            leaves, abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_OtherEpoch.selector, node[2], 1, 0)
        );
    }

    function test_open__a_device_that_did_not_simply_pass__reverts(uint16 flags) public {
        if (flags == 1) flags = 3;
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(1, node);
        leaves[1].flags = flags;
        measure(1, leaves, 700);
        refused(
            leaves, abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotPassed.selector, node[1], flags)
        );
    }

    function test_a_device_that_leases_itself__is_not_measured_as_passed() public {
        IEpochOracle.DeviceLeaf memory both = passedLeaf(1, device);
        both.flags = 3;
        measure(1, one(both), 700);
        refused(
            plainOffer(),
            one(both),
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotPassed.selector, device, 3)
        );
    }

    function openWith(uint64 minScore, uint32 minMemory) internal {
        ILeaseEscrow.Offer memory offer = nodeOffer();
        bytes memory signature = signOffer(offer);
        IEpochOracle.DeviceLeaf[] memory leaves = good();
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        escrow.open(offer, signature, DEPOSIT, leaves, proofs, minScore, minMemory);
    }

    function test_open__slower_than_asked_for__reverts() public {
        openWith(500, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ScoreTooLow.selector, node[0], 500, 501)
        );
        openWith(501, 0);
    }

    function test_open__less_memory_shown_than_asked_for__reverts() public {
        openWith(0, 4_096);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_MemoryTooSmall.selector, node[0], 4_096, 4_097)
        );
        openWith(0, 4_097);
    }

    function test_open__one_of_the_node_with_less_memory__reverts() public {
        IEpochOracle.DeviceLeaf[] memory leaves = passedLeaves(1, node);
        leaves[2].memoryMiB = 4_095;
        measure(1, leaves, 700);
        ILeaseEscrow.Offer memory offer = nodeOffer();
        bytes memory signature = signOffer(offer);
        bytes32[][] memory proofs = proofsOf(leaves);
        vm.prank(renter);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_MemoryTooSmall.selector, node[2], 4_095, 4_096)
        );
        escrow.open(offer, signature, DEPOSIT, leaves, proofs, 0, 4_096);
    }

    function test_open__on_a_report_at_its_greatest_age__opens_and_a_second_later_reverts() public {
        uint256 until = startOf(MAX_AGE + 1);
        vm.warp(until - 1);
        openWith(0, 0);
        vm.warp(until);
        refused(good(), abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_ReportTooOld.selector, 0, until, until));
    }

    function test_open__on_an_epoch_without_a_report__reverts() public {
        openEpoch(1);
        refused(
            passedLeaves(1, node),
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, node[0], uint64(1))
        );
        refused(
            passedLeaves(type(uint64).max, node),
            abi.encodeWithSelector(
                ILeaseErrors.LeaseEscrow_DeviceNotInReport.selector, node[0], type(uint64).max
            )
        );
    }

    function test_open__a_retired_device_among_them__reverts() public {
        vm.prank(provider);
        registry.retire(node[1]);
        refused(
            good(),
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, node[1], IDeviceRegistry.Status.Retired
            )
        );
    }

    function test_a_device_whose_stake_was_slashed__is_leased_to_nobody() public {
        slashDevice(node[0]);
        refused(
            good(),
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, node[0], IDeviceRegistry.Status.Slashed
            )
        );
    }

    function test_open__devices_of_another_provider__reverts() public {
        ILeaseEscrow.Offer memory offer = nodeOffer();
        offer.provider = renter;
        bytes memory signature = signOffer(offer, RENTER_KEY);
        bytes32[][] memory proofs = proofsOf(good());
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotProvider.selector, node[0], renter)
        );
        tryOpen(offer, signature, DEPOSIT, good(), proofs);
    }

    function test_open__a_list_unsorted_or_repeated__reverts() public {
        bytes32[] memory ids = node;
        (ids[0], ids[1]) = (ids[1], ids[0]);
        refused(
            offerOf(ids, address(usd), RATE),
            passedLeaves(0, ids),
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotAscending.selector, ids[1], ids[0])
        );
        ids[1] = ids[0];
        refused(
            offerOf(ids, address(usd), RATE),
            passedLeaves(0, ids),
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotAscending.selector, ids[0], ids[0])
        );
    }

    function test_open__sixteen_devices__opens_and_seventeen_revert() public {
        bytes32[] memory ids = enrolNode(10, 17);
        bytes32[] memory most = new bytes32[](16);
        for (uint256 i = 0; i < 16; ++i) most[i] = ids[i];
        measure(1, passedLeaves(1, ids), 700);
        openLease(offerOf(most, address(usd), RATE), 1, DEPOSIT);
        refused(
            offerOf(ids, address(usd), RATE),
            passedLeaves(1, ids),
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_DeviceCount.selector, 17, 16)
        );
    }
}
