// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";

import {Market} from "../base/Market.sol";

/// @title DeviceRegistry.checkLeasable
contract Leasable is Market {
    bytes32[] internal ids; // seventeen of the provider's, ascending

    function setUp() public {
        deployNetwork();
        for (uint256 i = 0; i < 17; ++i) ids.push(enrol(i, 1));
        for (uint256 i = 1; i < ids.length; ++i) {
            for (uint256 k = i; k > 0 && ids[k] < ids[k - 1]; --k) (ids[k], ids[k - 1]) = (ids[k - 1], ids[k]);
        }
    }

    function first(uint256 n) internal view returns (bytes32[] memory list) {
        list = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) list[i] = ids[i];
    }

    function test_check_leasable__one_to_sixteen_ascending__passes() public view {
        registry.checkLeasable(provider, first(1));
        registry.checkLeasable(provider, first(2));
        registry.checkLeasable(provider, first(16));
    }

    function test_check_leasable__none_or_seventeen__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_DeviceCount.selector, 0, 16));
        registry.checkLeasable(provider, first(0));
        bytes32[] memory list = first(17);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_DeviceCount.selector, 17, 16));
        registry.checkLeasable(provider, list);
    }

    function refused(bytes32[] memory list, bytes memory why) internal {
        vm.expectRevert(why);
        registry.checkLeasable(provider, list);
    }

    function notAscending(bytes32 id, bytes32 before) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotAscending.selector, id, before);
    }

    function test_check_leasable__unsorted__reverts() public {
        bytes32[] memory list = first(3);
        (list[1], list[2]) = (list[2], list[1]);
        refused(list, notAscending(ids[1], ids[2]));
    }

    function test_check_leasable__one_named_twice__reverts() public {
        bytes32[] memory list = first(3);
        list[2] = list[1];
        refused(list, notAscending(ids[1], ids[1]));
    }

    function test_check_leasable__the_zero_id__reverts() public {
        refused(new bytes32[](1), notAscending(0, 0));
    }

    function test_check_leasable__an_unknown_device__reverts() public {
        bytes32[] memory list = first(2);
        list[1] = bytes32(type(uint256).max);
        refused(list, abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector, list[1]));
    }

    function test_check_leasable__one_of_another_provider__reverts() public {
        bytes32[] memory list = first(3);
        vm.expectRevert(abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_NotProvider.selector, list[0], renter));
        registry.checkLeasable(renter, list);
    }

    function test_check_leasable__the_last_of_sixteen_retired__reverts() public {
        bytes32[] memory list = first(16);
        vm.prank(provider);
        registry.retire(list[15]);
        refused(
            list,
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, list[15], IDeviceRegistry.Status.Retired
            )
        );
    }

    function test_check_leasable__one_slashed__reverts() public {
        bytes32[] memory list = first(2);
        vm.prank(address(fraud));
        registry.markSlashed(list[0], 0);
        refused(
            list,
            abi.encodeWithSelector(
                IDeviceRegistry.DeviceRegistry_NotActive.selector, list[0], IDeviceRegistry.Status.Slashed
            )
        );
    }
}
