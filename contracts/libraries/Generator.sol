// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The matrix generator, and one element of C = A·Bᵀ
/// @notice A row of 32 entries a word: eight 32-bit lanes from two hash words, mixed by a counter. B stores its lanes in
/// reverse, so that one 256-bit product of byte-masked words sums eight products in its top 32 bits.
/// @dev Lanes are mixed four at a time in 64-bit fields, where a 32 × 32-bit product cannot reach its neighbour. Up to
/// K = 65,536 the sums stay below 2^32 (8,192 · 8 · 255² < 2^32), so products add up unshifted.
library Generator {
    uint256 private constant LOW32_OF_64 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant BYTE_OF_32 = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant COUNTER = 0x000000009e3779b9000000009e3779b9000000009e3779b9000000009e3779b9;

    /// @notice Σ_k A[row][k]·B[column][k] over K entries, exact.
    /// @param seedA seed of the round. @param seedB seed of the epoch. @param K a multiple of 32, at most 65,536.
    function dot(bytes32 seedA, uint32 row, bytes32 seedB, uint32 column, uint256 K) internal pure returns (int256) {
        (bytes32 a0, bytes32 a1) = keys(seedA, "A", row);
        (bytes32 b0, bytes32 b1) = keys(seedB, "B", column);
        (uint256 products, uint256 sums) = accumulate(a0, a1, b0, b1, K / 32);
        uint256 total;
        for (uint256 lane = 0; lane < 256; lane += 32) {
            total += (sums >> lane) & 0xffffffff;
        }
        // Σ(a-128)(b-128) = Σab - 128(Σa + Σb) + 128²K
        return int256(products >> 224) - 128 * int256(total) + 16_384 * int256(K);
    }

    /// @notice h_0 and h_1 of `vector(seed, tag, index)`.
    function keys(bytes32 seed, bytes1 tag, uint32 index) internal pure returns (bytes32 h0, bytes32 h1) {
        h0 = keccak256(abi.encodePacked(seed, tag, index, uint8(0)));
        h1 = keccak256(abi.encodePacked(seed, tag, index, uint8(1)));
    }

    function accumulate(
        bytes32 a0,
        bytes32 a1,
        bytes32 b0,
        bytes32 b1,
        uint256 words
    ) private pure returns (uint256 products, uint256 sums) {
        assembly ("memory-safe") {
            function mix(x, key) -> y {
                y := and(x, LOW32_OF_64)
                y := and(mul(xor(y, and(shr(16, y), LOW32_OF_64)), 0x21f0aaad), LOW32_OF_64)
                y := xor(y, key)
                y := and(mul(xor(y, and(shr(15, y), LOW32_OF_64)), 0x735a2d97), LOW32_OF_64)
                y := xor(y, and(shr(15, y), LOW32_OF_64))
            }
            // Counters in even and odd lanes; they stay below 2^64 in each field for 8,192 steps.
            let aEven := and(a0, LOW32_OF_64)
            let aOdd := and(shr(32, a0), LOW32_OF_64)
            let bEven := and(b0, LOW32_OF_64)
            let bOdd := and(shr(32, b0), LOW32_OF_64)
            for {} words {
                words := sub(words, 1)
            } {
                let a := or(mix(aEven, and(a1, LOW32_OF_64)), shl(32, mix(aOdd, and(shr(32, a1), LOW32_OF_64))))
                let b := or(mix(bEven, and(b1, LOW32_OF_64)), shl(32, mix(bOdd, and(shr(32, b1), LOW32_OF_64))))
                aEven := add(aEven, COUNTER)
                aOdd := add(aOdd, COUNTER)
                bEven := add(bEven, COUNTER)
                bOdd := add(bOdd, COUNTER)
                for {
                    let s := 4
                } s {
                    s := sub(s, 1)
                } {
                    let x := and(a, BYTE_OF_32)
                    let y := and(b, BYTE_OF_32)
                    products := add(products, mul(x, y))
                    sums := add(sums, add(x, y))
                    a := shr(8, a)
                    b := shr(8, b)
                }
            }
        }
    }
}
