// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Money by the second
/// @notice Rates are base units × 1e18 a second. What has streamed is computed from the start each time, so that rounding
/// never adds up.
/// @dev Unchecked: rates are of 128 bits, amounts of 128, times of 41, shares of 16, and no product of two comes near 256.
library StreamMath {
    uint256 internal constant SCALE = 1e18;

    /// @notice Rounded down: what the provider has earned.
    function streamed(uint256 rate, uint256 time) internal pure returns (uint256) {
        unchecked {
            return (rate * time) / SCALE;
        }
    }

    /// @notice Rounded up: what it takes to pay for `time`.
    function cost(uint256 rate, uint256 time) internal pure returns (uint256) {
        unchecked {
            return (rate * time + SCALE - 1) / SCALE;
        }
    }

    /// @notice Whole seconds that `amount` pays for.
    function duration(uint256 rate, uint256 amount) internal pure returns (uint256) {
        unchecked {
            return (amount * SCALE) / rate;
        }
    }

    /// @notice Whole seconds that a deposit pays for within the longest duration agreed.
    function term(uint256 rate, uint256 deposit, uint256 longest) internal pure returns (uint256) {
        uint256 paid = duration(rate, deposit);
        return paid < longest ? paid : longest;
    }

    /// @notice Fee on the first `amount` claimed of a lease: a share of it, at least the floor, never more than all.
    function fee(uint256 amount, uint256 feeBps, uint256 floor) internal pure returns (uint256) {
        uint256 share;
        unchecked {
            share = (amount * feeBps + 9_999) / 10_000;
        }
        if (share < floor) share = floor;
        return share < amount ? share : amount;
    }

    /// @notice The part of the bond that stands for the time owed and not served, rounded up.
    /// @param bond for `minDuration`
    /// @param served seconds
    /// @param obliged seconds that had to be served; at most `minDuration`
    /// @param minDuration seconds
    function unserved(
        uint256 bond,
        uint256 served,
        uint256 obliged,
        uint256 minDuration
    ) internal pure returns (uint256) {
        if (served >= obliged) return 0;
        unchecked {
            return (bond * (obliged - served) + minDuration - 1) / minDuration;
        }
    }
}
