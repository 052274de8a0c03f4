// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {ILeaseErrors} from "contracts/interfaces/ILeaseErrors.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Lettings} from "../../base/Lettings.sol";

/// @title A device retired or slashed in mid-lease
contract SlashedDevice is Lettings {
    function ended(uint256 id, address by) internal {
        vm.prank(by);
        escrow.end(id);
    }

    /// @dev Nobody would observe it any more, and the renter would pay on.
    function test_a_device_retired_in_mid_lease__cannot_be() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_Leased.selector, node[1], id));
        registry.retire(node[1]);
        leaveEarly(id);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_Leased.selector, node[1], id));
        registry.retire(node[1]);
        vm.startPrank(provider);
        escrow.release(id);
        registry.retire(node[1]);
        vm.stopPrank();
    }

    function test_a_device_slashed_in_mid_lease__sets_the_renter_free_at_once() public {
        uint256 id = live(600, 10_000);
        vm.warp(block.timestamp + 150);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.DeviceOfLeaseSlashed(id, device);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.BondForfeited(id, costOf(RATE, 450));
        slashDevice(device);
        statusIs(id, ILeaseEscrow.Status.Active, "it goes on, if the renter likes");
        ended(id, renter);
        eq(escrow.lease(id).stop, block.timestamp, "now");
        eq(escrow.refundable(id), costOf(RATE, 9_850), "the rest, and none of the bond");
        eq(escrow.forfeitable(id), costOf(RATE, 450), "what was not served, to the network");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 150), "what was");
    }

    function test_a_device_slashed_after_the_renter_left_early__sets_it_free_too() public {
        uint256 id = live(600, 10_000);
        leaveEarly(id);
        vm.warp(block.timestamp + 150);
        slashDevice(device);
        ended(id, renter);
        eq(escrow.streamed(id), streamOf(RATE, 150), "no further");
        eq(escrow.forfeitable(id), costOf(RATE, 450), "what was not served");
    }

    /// @dev Its share only: the others serve on.
    function test_one_of_three_slashed__forfeits_a_third_of_what_was_not_served() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        vm.warp(block.timestamp + 150);
        slashDevice(node[0]);
        eq(escrow.forfeitable(id), costOf(RATE, 150), "a third of three quarters");
        vm.warp(block.timestamp + 150);
        slashDevice(node[2]);
        eq(escrow.forfeitable(id), costOf(RATE, 250), "and a third of a half");
        vm.warp(block.timestamp + 10_000);
        eq(escrow.forfeitable(id), costOf(RATE, 250), "as it was then, whatever is served after");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 350), "the rest");
    }

    function test_all_of_a_node_slashed_at_once__forfeit_the_bond_and_no_more(uint128 rate) public {
        rate = uint128(within(rate, 1, 1e24));
        uint256 id = live(offerOf(node, address(usd), rate), costOf(rate, 2_000));
        for (uint256 i = 0; i < 3; ++i) slashDevice(node[i]);
        uint256 bond = costOf(rate, 600);
        eq(escrow.forfeitable(id), 3 * (bond / 3), "each its share");
    }

    /// @dev Whichever is more, not both.
    function test_slashed_and_dark__forfeits_the_larger_of_both() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        slashDevice(node[0]);
        eq(escrow.forfeitable(id), costOf(RATE, 200), "a third");
        vm.warp(startOf(1));
        measure(1, node[1], 0);
        downtime(id, leasedLeaf(1, node[1], 0));
        eq(escrow.forfeitable(id), costOf(RATE, 600), "nothing was served at all");
    }

    /// @dev It leaves the rest of the node before the minimum: that is the renter's, but for what the slash has taken.
    function test_a_provider_who_leaves_after_a_slash__pays_the_renter_for_the_rest() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        slashDevice(node[0]);
        vm.warp(block.timestamp + 150);
        ended(id, provider);
        eq(escrow.forfeitable(id), costOf(RATE, 200), "the slashed one's");
        eq(escrow.lease(id).forfeited, costOf(RATE, 250), "what was not served of the bond, less that");
        vm.warp(block.timestamp + HOLDBACK);
        eq(escrow.bondReturnable(id), costOf(RATE, 150), "what was");
    }

    function test_a_provider_who_leaves_late_after_a_slash__pays_the_renter_nothing() public {
        uint256 id = live(nodeOffer(), DEPOSIT);
        slashDevice(node[0]);
        vm.warp(block.timestamp + 500);
        ended(id, provider);
        eq(escrow.forfeitable(id), costOf(RATE, 200), "the slashed one's is more than all that is left");
        eq(escrow.lease(id).forfeited, 0, "nothing");
    }

    function test_slashed_after_the_minimum__forfeits_nothing() public {
        uint256 id = live(600, 10_000);
        vm.warp(block.timestamp + 600);
        slashDevice(device);
        eq(escrow.forfeitable(id), 0, "all of it was served");
        ended(id, renter);
    }

    function test_slashed_under_notice__forfeits_to_its_end() public {
        uint256 id = noticed(300);
        vm.prank(provider);
        escrow.giveNotice(id);
        vm.warp(block.timestamp + 100);
        slashDevice(device);
        eq(escrow.forfeitable(id), costOf(RATE, 200), "what was promised and not served");
    }

    function test_device_slashed__of_no_lease_or_one_over_or_pending__does_nothing() public {
        pending();
        slashDevice(device);
        eq(escrow.forfeitable(1), 0, "pending");
        uint256 id = live(offerOf(node[0], address(usd), RATE), costOf(RATE, 600));
        vm.warp(block.timestamp + 600);
        slashDevice(node[0]);
        eq(escrow.forfeitable(id), 0, "over");
        vm.prank(address(registry));
        escrow.deviceSlashed(keccak256("unknown"));
    }

    function test_device_slashed__by_another__reverts() public {
        live(600, 10_000);
        vm.expectRevert(
            abi.encodeWithSelector(ILeaseErrors.LeaseEscrow_NotRegistry.selector, address(this))
        );
        escrow.deviceSlashed(device);
    }
}
