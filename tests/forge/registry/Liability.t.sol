// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.markSlashed and liability
/// @dev Made by standing where FraudProofs stands.
contract Liability is Market {
    bytes32 internal device;
    uint64 internal constant FIRST = 3;
    uint64 internal constant LAST = 6;

    function setUp() public {
        deployNetwork();
        vm.warp(startOf(FIRST) + EPOCH - 1);
        device = enrol(0, 1);
    }

    function mark(uint64 epoch) internal returns (address who, uint128 amount) {
        vm.prank(address(fraud));
        return registry.markSlashed(device, epoch);
    }

    function retireIn(uint64 epoch) internal {
        vm.warp(startOf(epoch));
        vm.prank(provider);
        registry.retire(device);
    }

    function notLiable(uint64 epoch, uint64 last) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            IDeviceRegistry.DeviceRegistry_NotLiable.selector, device, epoch, FIRST, last
        );
    }

    function test_liability__of_an_active_device__begins_with_its_epoch_and_does_not_end() public view {
        (uint64 first, uint64 last, IDeviceRegistry.Status status) = registry.liability(device);
        eq(first, FIRST, "first");
        eq(last, type(uint64).max, "last");
        eq(uint256(status), uint256(IDeviceRegistry.Status.Active), "status");
    }

    function test_liability__of_a_retired_device__ends_with_that_epoch() public {
        retireIn(LAST);
        (uint64 first, uint64 last, IDeviceRegistry.Status status) = registry.liability(device);
        eq(first, FIRST, "first");
        eq(last, LAST, "last");
        eq(uint256(status), uint256(IDeviceRegistry.Status.Retired), "status");
    }

    function test_liability__of_no_device__is_none() public view {
        (uint64 first, uint64 last, IDeviceRegistry.Status status) = registry.liability(keccak256("none"));
        eq(uint256(first) + last + uint256(status), 0, "zeros");
    }

    function test_liability__before_genesis__begins_with_epoch_0() public {
        vm.warp(genesis - 1);
        bytes32 early = enrol(1, 1);
        (uint64 first,,) = registry.liability(early);
        eq(first, 0, "first");
    }

    function test_mark_slashed__in_the_first_epoch_it_answers_for__convicts() public {
        mark(FIRST);
    }

    function test_mark_slashed__in_the_last_epoch_it_answers_for__convicts() public {
        retireIn(LAST);
        mark(LAST);
    }

    function test_mark_slashed__before_its_enrolment__reverts() public {
        vm.expectRevert(notLiable(FIRST - 1, type(uint64).max));
        mark(FIRST - 1);
    }

    /// @dev Whoever finds a key that is no longer used can sign what he likes.
    function test_mark_slashed__after_its_retirement__reverts() public {
        retireIn(LAST);
        vm.expectRevert(notLiable(LAST + 1, LAST));
        mark(LAST + 1);
    }

    function test_mark_slashed__takes_the_device_off_the_market_and_frees_its_reservation_for_the_slash() public {
        vm.expectEmit();
        emit IDeviceRegistry.DeviceRetired(device, IDeviceRegistry.Status.Slashed);
        (address who, uint128 amount) = mark(FIRST);
        eq(who, provider, "who pays");
        eq(amount, DEVICE_STAKE, "how much");
        IDeviceRegistry.Device memory d = registry.device(device);
        eq(uint256(d.status), uint256(IDeviceRegistry.Status.Slashed), "status");
        eq(d.retiredAt, block.timestamp, "when");
        isTrue(d.stakeReleased, "released");
        eq(stake.account(provider).reserved, 0, "reserved");
        (, uint64 last,) = registry.liability(device);
        eq(last, FIRST, "answers for no more");
    }

    function test_mark_slashed__of_a_retired_device__leaves_the_time_of_that() public {
        retireIn(LAST);
        vm.warp(block.timestamp + 500);
        mark(FIRST);
        eq(registry.device(device).retiredAt, startOf(LAST), "when it retired");
    }

    function test_mark_slashed__again_for_any_epoch__reverts() public {
        mark(FIRST);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_AlreadySlashed.selector, device));
        mark(FIRST);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_AlreadySlashed.selector, device));
        mark(FIRST + 1);
    }

    function test_mark_slashed__once_its_stake_is_released__reverts() public {
        retireIn(LAST);
        enrol(1, 1);
        vm.warp(registry.releasableFrom(device));
        registry.releaseStake(device);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_StakeReleased.selector, device));
        mark(LAST);
        eq(stake.account(provider).reserved, DEVICE_STAKE, "the other device's");
    }

    function test_mark_slashed__of_no_device__reverts() public {
        vm.prank(address(fraud));
        vm.expectRevert(
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector, keccak256("none"))
        );
        registry.markSlashed(keccak256("none"), 0);
    }

    function test_mark_slashed__by_anybody_else__reverts() public {
        address[4] memory callers = [provider, address(this), address(demands), address(stake)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotFraudProofs.selector, callers[i])
            );
            registry.markSlashed(device, FIRST);
        }
    }

    function test_mark_slashed__tells_the_escrow() public {
        vm.expectCall(address(escrow), abi.encodeCall(ILeaseEscrow.deviceSlashed, (device)));
        mark(FIRST);
    }
}
