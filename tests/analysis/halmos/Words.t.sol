// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The packed product of `Generator`: words with a signed byte in each of their eight 32-bit lanes
contract WordProofs {
    uint256 private constant BYTE_OF_32 = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant ZERO_OF_32 = 0x0000008000000080000000800000008000000080000000800000008000000080;
    uint256 private constant BORROW = 1 << 223;

    /// @dev What `sub(and(word, mask), zero)` makes: each lane's byte less 128, in its place.
    function check_masked_words_hold_signed_bytes(uint256 word) external pure {
        unchecked {
            uint256 expected;
            for (uint256 lane = 0; lane < 256; lane += 32) {
                expected += uint256(int256((word >> lane) & 0xff) - 128) << lane;
            }
            assert((word & BYTE_OF_32) - ZERO_OF_32 == expected);
        }
    }

    /// @dev One lane of either word: the product of their bytes lands whole in the lane of the sum of their positions.
    function check_one_lane_times_one_lane(int8 a, int8 b, uint8 laneA, uint8 laneB) external pure {
        if (laneA > 7 || laneB > 7) return;
        unchecked {
            uint256 y = uint256(int256(a)) << (32 * uint256(laneA));
            uint256 z = uint256(int256(b)) << (32 * uint256(laneB));
            uint256 at = 32 * (uint256(laneA) + laneB);
            assert(y * z == (at > 255 ? 0 : uint256(int256(a) * b) << at));
        }
    }

    /// @dev Eight columns within 2^30, as any K up to 65,536 leaves them: the top 32 bits, signed, are the top column.
    function check_the_top_column_is_exact(int32[8] calldata columns) external pure {
        unchecked {
            uint256 products = BORROW;
            for (uint256 c = 0; c < 8; ++c) {
                if (columns[c] > 1 << 30 || columns[c] < -(1 << 30)) return;
                products += uint256(int256(columns[c])) << (32 * c);
            }
            assert(int256(products) >> 224 == columns[7]);
        }
    }
}
