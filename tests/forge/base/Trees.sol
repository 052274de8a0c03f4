// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Merkle trees of few leaves, written independently of the contracts
library Trees {
    /// @notice Positional tree: padded with zero leaves at the bottom, never sorted.
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = pad(leaves);
        while (level.length > 1) level = up(level, false);
        return level[0];
    }

    function path(bytes32[] memory leaves, uint256 position) internal pure returns (bytes32[] memory siblings) {
        return pathIn(pad(leaves), position, false);
    }

    /// @notice Tree of sorted pairs over a power of two of leaves, as OpenZeppelin's proofs are checked.
    function sortedRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = pad(leaves);
        while (level.length > 1) level = up(level, true);
        return level[0];
    }

    function sortedProof(bytes32[] memory leaves, uint256 position) internal pure returns (bytes32[] memory) {
        return pathIn(pad(leaves), position, true);
    }

    /// @notice Leaf of a StandardMerkleTree.
    function standardLeaf(bytes memory encoded) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }

    function pad(bytes32[] memory leaves) internal pure returns (bytes32[] memory padded) {
        uint256 size = 1;
        while (size < leaves.length) size *= 2;
        padded = new bytes32[](size);
        for (uint256 i = 0; i < leaves.length; ++i) padded[i] = leaves[i];
    }

    function up(bytes32[] memory level, bool sorted) private pure returns (bytes32[] memory above) {
        above = new bytes32[](level.length / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            (bytes32 a, bytes32 b) = (level[2 * i], level[2 * i + 1]);
            if (sorted && a > b) (a, b) = (b, a);
            above[i] = keccak256(abi.encodePacked(a, b));
        }
    }

    function pathIn(bytes32[] memory level, uint256 position, bool sorted)
        private
        pure
        returns (bytes32[] memory siblings)
    {
        uint256 depth;
        while ((uint256(1) << depth) < level.length) ++depth;
        siblings = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) {
            siblings[d] = level[position ^ 1];
            level = up(level, sorted);
            position /= 2;
        }
    }
}
