// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Vm} from "./Vm.sol";

/// @title Assertions that say both values
abstract contract Checks {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, uint256 actual, uint256 expected);
    error NotEqualAddress(string what, address actual, address expected);
    error NotEqualBytes32(string what, bytes32 actual, bytes32 expected);
    error NotAtMost(string what, uint256 actual, uint256 limit);
    error NotTrue(string what);

    /// @dev A deployment as a call, for what expects it to revert: `expectRevert` does not see a deployment that goes through.
    function deployed(string calldata name, bytes calldata arguments) external returns (address) {
        return vm.deployCode(string.concat(name, ".sol:", name), arguments);
    }

    function eq(uint256 actual, uint256 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqual(what, actual, expected);
    }

    function eq(address actual, address expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualAddress(what, actual, expected);
    }

    function eq(bytes32 actual, bytes32 expected, string memory what) internal pure {
        if (actual != expected) revert NotEqualBytes32(what, actual, expected);
    }

    function atMost(uint256 actual, uint256 limit, string memory what) internal pure {
        if (actual > limit) revert NotAtMost(what, actual, limit);
    }

    function isTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    /// @dev `value` brought into [low, high]; the edges come up often.
    function within(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value % 16 == 0) return low;
        if (value % 16 == 1) return high;
        return low + value % (high - low + 1);
    }
}
