// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title What other contracts ask of the timelock
/// @notice The delay before a change can be set anew, but never beyond a bound that was fixed when it was made.
interface ITimelock {
    /// @notice The longest delay that the timelock can ever be set to, in seconds.
    /// @dev What must outlast a decision of governance is held for longer than this.
    /// @return delay seconds
    function longestDelay() external view returns (uint256 delay);
}
