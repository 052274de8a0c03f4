// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The delay before a change
/// @notice Administers itself: no account may change the delay but through the delay, and none below two days, except on a
/// chain of one's own, or above the longest, within which holds and claim delays leave it time to act.
contract Timelock is TimelockController {
    /// @dev Chain id of anvil, Hardhat and Forge.
    uint256 private constant LOCAL_CHAIN = 31_337;

    /// @notice The longest that the delay can be made.
    uint256 public immutable longestDelay;

    /// @notice The delay is out of bounds.
    /// @param delay The delay asked for, in seconds.
    /// @param shortest The shortest it can be.
    /// @param longest The longest it can be.
    error Timelock_DelayOutOfBounds(uint256 delay, uint256 shortest, uint256 longest);

    /// @param minDelay Seconds that every change waits at first.
    /// @param longestDelay_ Seconds that it can be made to wait at most.
    /// @param proposers Who may schedule and cancel changes.
    /// @param executors Who may carry them out when their time has come.
    constructor(
        uint256 minDelay,
        uint256 longestDelay_,
        address[] memory proposers,
        address[] memory executors
    ) TimelockController(minDelay, proposers, executors, address(0)) {
        longestDelay = longestDelay_;
        _checkDelay(minDelay, longestDelay_);
    }

    /// @inheritdoc TimelockController
    function updateDelay(uint256 newDelay) public override {
        _checkDelay(newDelay, longestDelay);
        super.updateDelay(newDelay);
    }

    /// @notice The shortest that the delay can be made.
    /// @return Seconds.
    function shortestDelay() public view returns (uint256) {
        return block.chainid == LOCAL_CHAIN ? 0 : 2 days;
    }

    function _checkDelay(uint256 delay, uint256 longest) private view {
        uint256 shortest = shortestDelay();
        if (delay < shortest || delay > longest) revert Timelock_DelayOutOfBounds(delay, shortest, longest);
    }
}
