// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The matrix generator, and one element of C = A·Bᵀ
/// @notice A row of 32 entries a word: eight 32-bit lanes from two hash words, mixed by a counter. B stores its lanes in
/// reverse, so that one 256-bit product of words of signed bytes, one a lane, sums eight products in its top 32 bits.
/// @dev Lanes are mixed four at a time in 64-bit fields, where a 32 × 32-bit product cannot reach its neighbour. Up to
/// K = 65,536 each lane of the sum of products stays within ±2^30, so that products add up unshifted, and 2^223 is more
/// than what the lower lanes can borrow from the top one.
library Generator {
    uint256 private constant LOW32_OF_64 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant LOW17_OF_32 = 0x0001ffff0001ffff0001ffff0001ffff0001ffff0001ffff0001ffff0001ffff;
    uint256 private constant BYTE_OF_32 = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant ZERO_OF_32 = 0x0000008000000080000000800000008000000080000000800000008000000080;
    uint256 private constant COUNTER = 0x000000009e3779b9000000009e3779b9000000009e3779b9000000009e3779b9;
    uint256 private constant BORROW = 1 << 223;

    /// @notice Σ_k A[row][k]·B[column][k] over K entries, exact.
    /// @param seedA seed of the round
    /// @param row of C, made of a row of A
    /// @param seedB seed of the epoch
    /// @param column of C, made of a row of B
    /// @param K a multiple of 32, at most 65,536
    /// @return sum within ±2^30
    function dot(
        bytes32 seedA,
        uint32 row,
        bytes32 seedB,
        uint32 column,
        uint256 K
    ) internal pure returns (int256 sum) {
        (bytes32 a0, bytes32 a1) = keys(seedA, "A", row);
        (bytes32 b0, bytes32 b1) = keys(seedB, "B", column);
        return int256(accumulate(a0, a1, b0, b1, K / 32)) >> 224;
    }

    /// @notice The two hashes that `vector(seed, tag, index)` is made from.
    /// @param seed of the round or the epoch
    /// @param tag "A" or "B"
    /// @param index of the row or column
    /// @return h0 H(seed ‖ tag ‖ index ‖ 0)
    /// @return h1 H(seed ‖ tag ‖ index ‖ 1)
    function keys(bytes32 seed, bytes1 tag, uint32 index) internal pure returns (bytes32 h0, bytes32 h1) {
        h0 = keccak256(abi.encodePacked(seed, tag, index, uint8(0)));
        h1 = keccak256(abi.encodePacked(seed, tag, index, uint8(1)));
    }

    /// @dev Products of `words` words, summed; the wanted sum is in the top lane.
    function accumulate(
        bytes32 a0,
        bytes32 a1,
        bytes32 b0,
        bytes32 b1,
        uint256 words
    ) private pure returns (uint256 products) {
        assembly {
            // Constants in variables: the optimizer would otherwise work them out anew at each use, to save code. The odd
            // lanes' counters and keys lie in the first four words of memory, as the stack has no room; they are put back.
            let low := LOW32_OF_64
            let mask := BYTE_OF_32
            let zero := ZERO_OF_32
            let free := mload(0x40)
            mstore(0x00, and(shr(32, a1), low))
            mstore(0x20, and(shr(32, b1), low))
            mstore(0x40, and(shr(32, a0), low))
            mstore(0x60, and(shr(32, b0), low))
            a0 := and(a0, low)
            a1 := and(a1, low)
            b0 := and(b0, low)
            b1 := and(b1, low)
            products := BORROW
            // c = w·0x9e3779b9 in each field, below 2^44 after 2,048 words.
            words := mul(words, COUNTER)
            for {
                let c := 0
            } xor(c, words) {
                c := add(c, COUNTER)
            } {
                let a := and(add(a0, c), low)
                a := xor(and(mul(xor(a, and(shr(16, a), low)), 0x21f0aaad), low), a1)
                a := and(mul(xor(a, and(shr(15, a), low)), 0x735a2d97), low)
                let b := and(add(mload(0x40), c), low)
                b := xor(and(mul(xor(b, and(shr(16, b), low)), 0x21f0aaad), low), mload(0x00))
                // The last step is the same for all eight lanes, so it waits until they stand together.
                a := or(a, shl(32, and(mul(xor(b, and(shr(15, b), low)), 0x735a2d97), low)))
                a := xor(a, and(shr(15, a), LOW17_OF_32))
                b := and(add(b0, c), low)
                b := xor(and(mul(xor(b, and(shr(16, b), low)), 0x21f0aaad), low), b1)
                b := and(mul(xor(b, and(shr(15, b), low)), 0x735a2d97), low)
                {
                    let y := and(add(mload(0x60), c), low)
                    y := xor(and(mul(xor(y, and(shr(16, y), low)), 0x21f0aaad), low), mload(0x20))
                    b := or(b, shl(32, and(mul(xor(y, and(shr(15, y), low)), 0x735a2d97), low)))
                }
                b := xor(b, and(shr(15, b), LOW17_OF_32))
                products := add(
                    products,
                    add(
                        add(
                            mul(sub(and(a, mask), zero), sub(and(b, mask), zero)),
                            mul(sub(and(shr(8, a), mask), zero), sub(and(shr(8, b), mask), zero))
                        ),
                        add(
                            mul(sub(and(shr(16, a), mask), zero), sub(and(shr(16, b), mask), zero)),
                            mul(sub(and(shr(24, a), mask), zero), sub(and(shr(24, b), mask), zero))
                        )
                    )
                )
            }
            mstore(0x40, free)
            mstore(0x60, 0)
        }
    }
}
