// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title ECDSA signatures of keys
/// @notice Zero for anything that does not recover, and for a high s: nobody can make a second signature out of one.
library CompactSignature {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Signer of an EIP-2098 signature.
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        assembly ("memory-safe") {
            let s := shr(1, shl(1, vs))
            if iszero(gt(s, HALF_ORDER)) {
                let free := mload(0x40)
                mstore(free, digest)
                mstore(add(free, 0x20), add(shr(255, vs), 27))
                mstore(add(free, 0x40), r)
                mstore(add(free, 0x60), s)
                mstore(0x00, 0)
                pop(staticcall(gas(), 1, free, 0x80, 0x00, 0x20))
                signer := mload(0x00)
            }
        }
    }

    /// @notice Signer of 64 bytes (EIP-2098) or 65 (r, s, v with v 27 or 28).
    function recover(bytes32 digest, bytes calldata signature) internal view returns (address) {
        bytes32 r;
        bytes32 vs;
        assembly ("memory-safe") {
            // Beyond the signature's end there is whatever follows it: its length is checked below.
            r := calldataload(signature.offset)
            vs := calldataload(add(signature.offset, 0x20))
        }
        if (signature.length == 65) {
            uint256 parity = uint256(uint8(signature[64])) ^ 27; // 0 for 27, 7 for 28
            if (uint256(vs) >> 255 != 0 || (parity != 0 && parity != 7)) return address(0);
            vs |= bytes32((parity & 1) << 255);
        } else if (signature.length != 64) {
            return address(0);
        }
        return recover(digest, r, vs);
    }
}
