// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title ECDSA signatures of keys that machines hold
/// @notice 64 bytes (EIP-2098) or 65; zero for anything that does not recover. No contract accounts.
library DeviceSignature {
    function recover(bytes32 digest, bytes memory signature) internal pure returns (address signer) {
        if (signature.length == 64) {
            bytes32 r;
            bytes32 vs;
            assembly ("memory-safe") {
                r := mload(add(signature, 0x20))
                vs := mload(add(signature, 0x40))
            }
            (signer, , ) = ECDSA.tryRecover(digest, r, vs);
        } else {
            (signer, , ) = ECDSA.tryRecover(digest, signature);
        }
    }
}
