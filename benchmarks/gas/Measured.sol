// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Checks} from "../../tests/forge/base/Checks.sol";

/// @title Gas of whole transactions
/// @dev Forge runs with `isolate`: each call from a test is a transaction of its own, so that its base, its calldata and its
/// refunds are in the figure, and every slot is cold at its start.
abstract contract Measured is Checks {
    string private constant LINES = "build/forge/gas.csv";

    /// @dev Writes down what the call just made has cost.
    function note(string memory who, string memory operation) internal returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        vm.writeLine(LINES, string.concat(who, "|", operation, "|", vm.toString(gas)));
    }
}
