// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.retire, releaseStake and releasableFrom
/// @dev Leases and demands are answered for in their contracts' place; what leads there is tested with them.
contract Retirement is Market {
    bytes32 internal device;
    bytes32 internal other;

    function setUp() public {
        deployNetwork();
        device = enrol(0, 1);
        other = enrol(1, 1);
    }

    function retire() internal {
        vm.prank(provider);
        registry.retire(device);
    }

    function leased(uint256 leaseId) internal {
        vm.mockCall(
            address(escrow), abi.encodeCall(ILeaseEscrow.activeLease, (device)), abi.encode(leaseId)
        );
    }

    function demanded(uint256 open) internal {
        vm.mockCall(
            address(demands), abi.encodeCall(IOpeningDemands.openDemandsOf, (device)), abi.encode(open)
        );
    }

    function test_retire__takes_the_device_off_the_market_for_ever() public {
        vm.expectEmit();
        emit IDeviceRegistry.DeviceRetired(device, IDeviceRegistry.Status.Retired);
        retire();
        IDeviceRegistry.Device memory d = registry.device(device);
        eq(uint256(d.status), uint256(IDeviceRegistry.Status.Retired), "status");
        eq(d.retiredAt, block.timestamp, "when");
        eq(stake.account(provider).reserved, 2 * DEVICE_STAKE, "its stake stays reserved");
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, device, IDeviceRegistry.Status.Retired
            )
        );
        retire();
    }

    /// @dev The renter pays to the end of the lease, and nobody measures a device that has left.
    function test_retire__of_a_leased_device__reverts() public {
        leased(7);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_Leased.selector, device, 7));
        retire();
        leased(0);
        retire();
    }

    function test_retire__by_anybody_else__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotProvider.selector, device, address(this))
        );
        registry.retire(device);
    }

    function test_retire__of_no_device__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector, keccak256("none"))
        );
        registry.retire(keccak256("none"));
    }

    function test_stake_of_a_retired_device__comes_free_to_the_second() public {
        eq(registry.releasableFrom(device), 0, "not retired");
        vm.warp(startOf(3) + 77);
        retire();
        uint256 at = startOf(5) + PROOF_WINDOW;
        eq(registry.releasableFrom(device), at, "two epochs and the proof window");
        vm.warp(at - 1);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_StillProvable.selector, device, at));
        registry.releaseStake(device);
        vm.warp(at);
        vm.expectEmit();
        emit IDeviceRegistry.DeviceStakeReleased(device, DEVICE_STAKE);
        registry.releaseStake(device);
        eq(stake.freeStake(provider), DEVICE_STAKE, "free");
        isTrue(registry.device(device).stakeReleased, "released");
        isTrue(!registry.device(other).stakeReleased, "and no other's");
    }

    function test_a_device_retired_before_genesis__comes_free_after_the_first_epochs() public {
        vm.warp(genesis - 5);
        retire();
        eq(registry.releasableFrom(device), startOf(2) + PROOF_WINDOW, "as if in epoch 0");
    }

    function test_leaving_in_front_of_a_slash__keeps_the_stake_in_reach() public {
        retire();
        vm.prank(provider);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_InsufficientStake.selector, provider, 0, 1)
        );
        stake.requestWithdrawal(1);
        vm.warp(registry.releasableFrom(device) - 1);
        vm.prank(address(fraud));
        (address who, uint128 amount) = registry.markSlashed(device, 0);
        eq(who, provider, "who");
        eq(amount, DEVICE_STAKE, "how much");
    }

    function test_stake_released_twice__reverts() public {
        retire();
        vm.warp(registry.releasableFrom(device));
        registry.releaseStake(device);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_StakeReleased.selector, device));
        registry.releaseStake(device);
        eq(stake.account(provider).reserved, DEVICE_STAKE, "the other's");
    }

    function test_release__of_an_active_device__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, device, IDeviceRegistry.Status.Active
            )
        );
        registry.releaseStake(device);
    }

    function test_release__of_a_slashed_device__reverts() public {
        vm.prank(address(fraud));
        registry.markSlashed(device, 0);
        vm.warp(block.timestamp + 100 * PROOF_WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_StakeReleased.selector, device));
        registry.releaseStake(device);
    }

    function test_release__of_no_device__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector, keccak256("none"))
        );
        registry.releaseStake(keccak256("none"));
    }

    function test_release__while_demands_are_open__reverts() public {
        retire();
        vm.warp(registry.releasableFrom(device));
        demanded(2);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_DemandsOpen.selector, device, 2));
        registry.releaseStake(device);
        demanded(0);
        registry.releaseStake(device);
    }
}
