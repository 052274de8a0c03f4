// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Money by the second
/// @notice Rates are base units × 1e18 a second. What has streamed is computed from the start each time, so that rounding
/// never adds up.
library StreamMath {
    uint256 internal constant SCALE = 1e18;

    /// @notice Rounded down: what the provider has earned.
    function streamed(uint256 rate, uint256 time) internal pure returns (uint256) {
        return (rate * time) / SCALE;
    }

    /// @notice Rounded up: what it takes to pay for `time`.
    function cost(uint256 rate, uint256 time) internal pure returns (uint256) {
        return (rate * time + SCALE - 1) / SCALE;
    }

    /// @notice Whole seconds that `amount` pays for.
    function duration(uint256 rate, uint256 amount) internal pure returns (uint256) {
        return (amount * SCALE) / rate;
    }

    /// @notice Whole seconds that a deposit pays for within the longest duration agreed.
    function term(uint256 rate, uint256 deposit, uint256 longest) internal pure returns (uint40) {
        uint256 paid = duration(rate, deposit);
        return uint40(paid < longest ? paid : longest);
    }

    /// @notice Fee on the first `amount` claimed of a lease: a share of it, at least the floor, never more than all.
    function fee(uint256 amount, uint256 feeBps, uint256 floor) internal pure returns (uint256) {
        uint256 share = (amount * feeBps + 9_999) / 10_000;
        if (share < floor) share = floor;
        return share < amount ? share : amount;
    }

    /// @notice The part of the bond that stands for the time not served, rounded up.
    function unserved(uint256 bond, uint256 served, uint256 minDuration) internal pure returns (uint256) {
        if (served >= minDuration) return 0;
        return (bond * (minDuration - served) + minDuration - 1) / minDuration;
    }
}
