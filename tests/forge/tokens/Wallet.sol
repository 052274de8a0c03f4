// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title An account with code that takes its owner's signatures for its own
contract Wallet {
    address public owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 vs = bytes32(signature[32:64]);
        uint8 v = uint8(uint256(vs) >> 255) + 27;
        bytes32 s = vs & bytes32(type(uint256).max >> 1);
        return ecrecover(digest, v, bytes32(signature[:32]), s) == owner ? bytes4(0x1626ba7e) : bytes4(0);
    }
}
