// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title The packed product of the dot product: words with one byte in each of their eight 32-bit lanes
contract WordProofs {
    uint256 private constant BYTE_OF_32 = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;

    /// @dev Sums of entries: 8,192 words of at most 255 a lane stay in their lanes.
    function check_sums_stay_in_their_lanes(uint256 sums, uint256 word, uint256 added) external pure {
        if (added >= 8_192 * 2) return;
        word &= BYTE_OF_32;
        for (uint256 lane = 0; lane < 256; lane += 32) {
            if ((sums >> lane) & 0xffffffff > added * 255) return;
        }
        uint256 next;
        unchecked {
            next = sums + word;
        }
        for (uint256 lane = 0; lane < 256; lane += 32) {
            uint256 expected = ((sums >> lane) & 0xffffffff) + ((word >> lane) & 0xff);
            assert((next >> lane) & 0xffffffff == expected);
            assert(expected <= (added + 1) * 255);
        }
    }

    /// @dev One lane of either word: the byte product lands whole in the lane of the sum of their positions.
    function check_one_lane_times_one_lane(uint8 a, uint8 b, uint8 laneA, uint8 laneB) external pure {
        if (laneA > 7 || laneB > 7) return;
        uint256 y = uint256(a) << (32 * uint256(laneA));
        uint256 z = uint256(b) << (32 * uint256(laneB));
        uint256 product;
        unchecked {
            product = y * z;
        }
        uint256 at = uint256(laneA) + laneB;
        assert(product == (at > 7 ? 0 : (uint256(a) * b) << (32 * at)));
    }

    /// @dev Columns that hold what `added` words gave: another word's columns add up without a carry, for every K allowed.
    function check_products_stay_in_their_columns(uint256 products, uint256 word, uint256 added) external pure {
        uint256 most = 8 * 255 * 255; // a column of one word's product: eight byte products at most
        if (added >= 8_192) return;
        for (uint256 lane = 0; lane < 256; lane += 32) {
            if ((products >> lane) & 0xffffffff > added * most) return;
            if ((word >> lane) & 0xffffffff > most) return;
        }
        uint256 next;
        unchecked {
            next = products + word;
        }
        for (uint256 lane = 0; lane < 256; lane += 32) {
            uint256 expected = ((products >> lane) & 0xffffffff) + ((word >> lane) & 0xffffffff);
            assert((next >> lane) & 0xffffffff == expected);
            assert(expected <= (added + 1) * most);
        }
    }
}
