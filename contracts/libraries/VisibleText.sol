// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Text that everybody can read
/// @notice Solidity checks no string: what is announced would reach every reader's decoder, terminal and page as it was sent.
library VisibleText {
    uint256 private constant EACH = uint256(type(uint256).max) / 255; // 1 in every byte
    uint256 private constant HIGH = EACH << 7;

    /// @notice Whether all bytes are from 0x21 to 0x7e: ASCII, without spaces and control characters.
    /// @param text what is announced; empty text is visible
    /// @return visible whether it can be
    function isVisible(string calldata text) internal pure returns (bool visible) {
        uint256 length = bytes(text).length;
        uint256 odd; // the high bit of every byte that is off
        for (uint256 at = 0; at < length; at += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(text.offset, at))
            }
            if (length - at < 32) {
                // What lies behind the text counts as visible.
                uint256 behind = type(uint256).max >> ((length - at) * 8);
                word = (word & ~behind) | ((EACH * 0x21) & behind);
            }
            // No byte carries into the next unless its high bit is set, which is off already.
            unchecked {
                odd |= word | (word + EACH) | ~(word + EACH * (0x80 - 0x21));
            }
        }
        return odd & HIGH == 0;
    }
}
