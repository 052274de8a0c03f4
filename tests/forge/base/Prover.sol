// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Trees} from "./Trees.sol";

/// @title A reference prover for one tiny shape, entry by entry as the protocol states it
/// @dev M = 2, N = 64, K = 64, T = 3, chunk = 32: a row is two chunks. Shares no code with the contracts.
library Prover {
    uint256 internal constant M = 2;
    uint256 internal constant N = 64;
    uint256 internal constant CHUNK = 32;
    uint256 internal constant PER_ROW = N / CHUNK;
    uint256 internal constant K = 64;
    uint256 internal constant T = 3;

    struct Work {
        bytes32[] seeds; // T
        bytes32[] roots; // T
        bytes[] rows; // T·M, row i of round t at t·M + i
        bytes32 resultRoot;
    }

    function prove(bytes32 epochSeed, bytes32 firstSeed) internal pure returns (Work memory w) {
        int256[][] memory b = new int256[][](N);
        for (uint256 j = 0; j < N; ++j) b[j] = vector(epochSeed, "B", uint32(j));
        w.seeds = new bytes32[](T);
        w.roots = new bytes32[](T);
        w.rows = new bytes[](T * M);
        w.seeds[0] = firstSeed;
        for (uint256 t = 0; t < T; ++t) {
            if (t > 0) w.seeds[t] = keccak256(abi.encodePacked(w.seeds[t - 1], t > 1 ? w.roots[t - 2] : bytes32(0)));
            for (uint256 i = 0; i < M; ++i) {
                int256[] memory a = vector(w.seeds[t], "A", uint32(i));
                bytes memory row = new bytes(4 * N);
                for (uint256 j = 0; j < N; ++j) put(row, j, dot(a, b[j]));
                w.rows[t * M + i] = row;
            }
            w.roots[t] = roundRoot(w, t);
        }
        bind(w);
    }

    /// @notice resultRoot over what the work holds, honest or not.
    function bind(Work memory w) internal pure {
        w.resultRoot = Trees.root(roundLeaves(w));
    }

    function roundRoot(Work memory w, uint256 t) internal pure returns (bytes32) {
        return Trees.root(chunkLeaves(w, t));
    }

    function round(Work memory w, uint256 t) internal pure returns (IFraudProofs.Round memory) {
        return IFraudProofs.Round(uint32(t), w.seeds[t], w.roots[t], Trees.path(roundLeaves(w), t));
    }

    function element(Work memory w, uint256 t, uint256 i, uint256 j) internal pure returns (IFraudProofs.Element memory) {
        uint256 position = i * PER_ROW + j / CHUNK;
        return IFraudProofs.Element(
            uint32(i), uint32(j), chunkOf(w.rows[t * M + i], j / CHUNK), Trees.path(chunkLeaves(w, t), position)
        );
    }

    /// @notice Path from the subtree of row i to the root of round t.
    function rowPath(Work memory w, uint256 t, uint256 i) internal pure returns (bytes32[] memory path) {
        bytes32[] memory whole = Trees.path(chunkLeaves(w, t), i * PER_ROW);
        path = new bytes32[](whole.length - 1); // a row is two chunks: one level is its own
        for (uint256 d = 0; d < path.length; ++d) path[d] = whole[d + 1];
    }

    /// @notice Makes element (t, i, j) wrong by `difference` and binds it again, seeds as they were.
    function spoil(Work memory w, uint256 t, uint256 i, uint256 j, int256 difference) internal pure {
        bytes memory row = w.rows[t * M + i];
        put(row, j, get(row, j) + difference);
        w.roots[t] = roundRoot(w, t);
        bind(w);
    }

    function get(bytes memory row, uint256 j) internal pure returns (int256) {
        uint256 bits;
        for (uint256 s = 0; s < 4; ++s) bits |= uint256(uint8(row[4 * j + s])) << (8 * s);
        return int32(uint32(bits));
    }

    function put(bytes memory row, uint256 j, int256 value) internal pure {
        uint32 bits = uint32(int32(value));
        for (uint256 s = 0; s < 4; ++s) row[4 * j + s] = bytes1(uint8(bits >> (8 * s)));
    }

    function dot(int256[] memory a, int256[] memory b) internal pure returns (int256 sum) {
        unchecked {
            for (uint256 k = 0; k < a.length; ++k) sum += a[k] * b[k];
        }
    }

    function vector(bytes32 seed, bytes1 tag, uint32 index) internal pure returns (int256[] memory) {
        return vectorOf(seed, tag, index, K);
    }

    function vectorOf(bytes32 seed, bytes1 tag, uint32 index, uint256 length)
        internal
        pure
        returns (int256[] memory entries)
    {
        uint256 h0 = uint256(keccak256(abi.encodePacked(seed, tag, index, uint8(0))));
        uint256 h1 = uint256(keccak256(abi.encodePacked(seed, tag, index, uint8(1))));
        entries = new int256[](length);
        for (uint256 w = 0; w < length / 32; ++w) {
            for (uint256 l = 0; l < 8; ++l) {
                uint256 lane = tag == "B" ? 7 - l : l;
                uint32 x = mixed(uint32(h0 >> (32 * lane)), uint32(h1 >> (32 * lane)), uint32(w));
                for (uint256 s = 0; s < 4; ++s) {
                    entries[32 * w + 4 * l + s] = int256(uint256((x >> (8 * s)) & 255)) - 128;
                }
            }
        }
    }

    function mixed(uint32 k1, uint32 k2, uint32 w) private pure returns (uint32 x) {
        unchecked {
            x = k1 + w * 0x9e3779b9;
            x ^= x >> 16;
            x *= 0x21f0aaad;
            x ^= k2;
            x ^= x >> 15;
            x *= 0x735a2d97;
            x ^= x >> 15;
        }
    }

    function chunkLeaves(Work memory w, uint256 t) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](M * PER_ROW);
        for (uint256 p = 0; p < leaves.length; ++p) {
            leaves[p] = keccak256(chunkOf(w.rows[t * M + p / PER_ROW], p % PER_ROW));
        }
    }

    function chunkOf(bytes memory row, uint256 c) private pure returns (bytes memory chunk) {
        chunk = new bytes(4 * CHUNK);
        for (uint256 at = 0; at < chunk.length; ++at) chunk[at] = row[c * chunk.length + at];
    }

    function roundLeaves(Work memory w) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](T);
        for (uint256 t = 0; t < T; ++t) leaves[t] = keccak256(abi.encodePacked(t, w.seeds[t], w.roots[t]));
    }
}
