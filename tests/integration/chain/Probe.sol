// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @dev What the sender's tests need: a call that counts, one that refuses, one that can be switched to refuse.
contract Probe {
    struct Pair {
        uint32 left;
        bytes32 right;
    }

    event Counted(address indexed by, uint256 value, Pair pair);

    event Said(address indexed by, string words);

    error Probe_Refused(uint256 wanted, address caller);

    uint256 public counter;
    bool public closed;
    string public words;

    function count(uint256 by) external {
        if (closed) revert Probe_Refused(by, msg.sender);
        counter += by;
        emit Counted(msg.sender, counter, Pair(uint32(by), bytes32(counter)));
    }

    function refuse(uint256 wanted) external view {
        revert Probe_Refused(wanted, msg.sender);
    }

    function refuseInWords() external pure {
        require(false, "in words");
    }

    function divide(uint256 by) external pure returns (uint256) {
        return 1 / by;
    }

    function say(string calldata words_) external {
        words = words_;
        emit Said(msg.sender, words_);
    }

    function close() external {
        closed = true;
    }

    function pair() external view returns (Pair memory) {
        return Pair(uint32(counter), bytes32(counter));
    }
}
