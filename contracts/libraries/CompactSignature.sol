// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

// Half of the order of secp256k1, rounded down: the largest s that is taken. Assembly reads no constant of another library.
uint256 constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

/// @title ECDSA signatures of keys
/// @notice Zero for anything that does not recover, and for a high s: nobody can make a second signature out of one.
library CompactSignature {
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
    function recover(bytes32 digest, bytes calldata signature) internal view returns (address signer) {
        assembly ("memory-safe") {
            let s := calldataload(add(signature.offset, 0x20))
            let v := 0 // with which nobody recovers
            switch signature.length
            case 64 {
                v := add(shr(255, s), 27)
                s := shr(1, shl(1, s))
            }
            case 65 {
                v := byte(0, calldataload(add(signature.offset, 0x40)))
            }
            if iszero(gt(s, HALF_ORDER)) {
                let free := mload(0x40)
                mstore(free, digest)
                mstore(add(free, 0x20), v)
                mstore(add(free, 0x40), calldataload(signature.offset))
                mstore(add(free, 0x60), s)
                mstore(0x00, 0)
                pop(staticcall(gas(), 1, free, 0x80, 0x00, 0x20))
                signer := mload(0x00)
            }
        }
    }
}
