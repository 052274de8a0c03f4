// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Checks} from "../base/Checks.sol";

interface Delays {
    function longestDelay() external view returns (uint256);
    function shortestDelay() external view returns (uint256);
    function getMinDelay() external view returns (uint256);
    function updateDelay(uint256 newDelay) external;
    function schedule(address, uint256, bytes calldata, bytes32, bytes32, uint256) external;
    function execute(address, uint256, bytes calldata, bytes32, bytes32) external payable;
}

contract TimelockTest is Checks {
    uint256 internal constant ETHEREUM = 1;
    uint256 internal constant LOCAL = 31_337;

    function deploy(uint256 delay, uint256 longest) internal returns (Delays) {
        address[] memory us = new address[](1);
        us[0] = address(this);
        return Delays(this.deployed("Timelock", abi.encode(delay, longest, us, us)));
    }

    function outOfBounds(uint256 delay, uint256 shortest, uint256 longest) internal pure returns (bytes memory) {
        return abi.encodeWithSignature(
            "Timelock_DelayOutOfBounds(uint256,uint256,uint256)", delay, shortest, longest
        );
    }

    function deployFails(uint256 delay, uint256 longest, uint256 shortest) internal {
        vm.expectRevert(outOfBounds(delay, shortest, longest));
        deploy(delay, longest);
    }

    /// @dev The timelock changes its own delay, after it.
    function update(Delays timelock, uint256 delay, bytes memory why) internal {
        bytes memory call = abi.encodeCall(Delays.updateDelay, (delay));
        bytes32 salt = bytes32(delay);
        timelock.schedule(address(timelock), 0, call, 0, salt, timelock.getMinDelay());
        vm.warp(block.timestamp + timelock.getMinDelay());
        if (why.length != 0) vm.expectRevert(why);
        timelock.execute(address(timelock), 0, call, 0, salt);
    }

    function test_constructor__below_two_days_on_a_public_chain__refused() public {
        vm.chainId(ETHEREUM);
        deployFails(0, 10 days, 2 days);
        deployFails(2 days - 1, 10 days, 2 days);
        Delays timelock = deploy(2 days, 10 days);
        eq(timelock.getMinDelay(), 2 days, "delay");
        eq(timelock.shortestDelay(), 2 days, "shortest");
        eq(timelock.longestDelay(), 10 days, "longest");
    }

    function test_constructor__above_its_longest__refused() public {
        vm.chainId(ETHEREUM);
        deployFails(10 days + 1, 10 days, 2 days);
        deploy(10 days, 10 days);
        deployFails(2 days, 2 days - 1, 2 days);
    }

    function test_constructor__local_chain__no_delay_is_enough() public {
        vm.chainId(LOCAL);
        Delays timelock = deploy(0, 100);
        eq(timelock.shortestDelay(), 0, "shortest");
        deployFails(101, 100, 0);
    }

    function test_update_delay__to_zero_on_a_public_chain__refused() public {
        vm.chainId(ETHEREUM);
        Delays timelock = deploy(3 days, 10 days);
        update(timelock, 0, outOfBounds(0, 2 days, 10 days));
        update(timelock, 2 days - 1, outOfBounds(2 days - 1, 2 days, 10 days));
        eq(timelock.getMinDelay(), 3 days, "as it was");
    }

    function test_update_delay__beyond_the_longest__refused() public {
        vm.chainId(ETHEREUM);
        Delays timelock = deploy(3 days, 10 days);
        update(timelock, 10 days + 1, outOfBounds(10 days + 1, 2 days, 10 days));
    }

    function test_update_delay__within_the_bounds__changed_after_the_delay() public {
        vm.chainId(ETHEREUM);
        Delays timelock = deploy(3 days, 10 days);
        update(timelock, 2 days, "");
        eq(timelock.getMinDelay(), 2 days, "shortest");
        update(timelock, 10 days, "");
        eq(timelock.getMinDelay(), 10 days, "longest");
    }

    function test_update_delay__anybody_directly__refused() public {
        vm.chainId(ETHEREUM);
        Delays timelock = deploy(3 days, 10 days);
        vm.expectRevert(abi.encodeWithSignature("TimelockUnauthorizedCaller(address)", address(this)));
        timelock.updateDelay(4 days);
    }
}
