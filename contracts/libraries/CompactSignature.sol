// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title ECDSA signatures of keys
/// @notice Zero for anything that does not recover, and for a high s: nobody can make a second signature out of one.
library CompactSignature {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Signer of an EIP-2098 signature.
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address signer) {
        assembly ("memory-safe") {
            let s := and(vs, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
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
        if (signature.length == 64) return recover(digest, bytes32(signature[:32]), bytes32(signature[32:]));
        if (signature.length != 65) return address(0);
        uint256 v = uint8(signature[64]);
        uint256 s = uint256(bytes32(signature[32:64]));
        if ((v != 27 && v != 28) || s > HALF_ORDER) return address(0);
        return recover(digest, bytes32(signature[:32]), bytes32(s | ((v - 27) << 255)));
    }
}
