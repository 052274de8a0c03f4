// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Merkle paths by position
/// @notice Pairs are never sorted: the sibling at level d stands on the left iff bit d of the position is 1.
library PositionalMerkle {
    /// @notice The root that a leaf and its siblings lead to.
    /// @param leaf at the bottom
    /// @param position of it
    /// @param path its siblings, bottom-up
    /// @return node the root
    function rootFrom(bytes32 leaf, uint256 position, bytes32[] calldata path) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 level = 0; level < path.length; ++level) {
            bytes32 sibling = path[level];
            node = (position >> level) & 1 == 1 ? pair(sibling, node) : pair(node, sibling);
        }
    }

    /// @notice Levels of a tree, padded to the next power of two.
    /// @param count of its leaves
    /// @return levels above them
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while ((uint256(1) << levels) < count) ++levels;
    }

    /// @notice keccak256(left ‖ right).
    /// @param left child
    /// @param right child
    /// @return node their parent
    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }
}
