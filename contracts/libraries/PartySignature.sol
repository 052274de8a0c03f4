// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {CompactSignature} from "./CompactSignature.sol";

/// @title Signatures of providers and renters, keys or contract accounts
library PartySignature {
    /// @notice ECDSA first, then ERC-1271: an account with code may still sign with its own key.
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        if (CompactSignature.recover(digest, signature) == signer) return true;
        return signer.code.length != 0 && SignatureChecker.isValidERC1271SignatureNow(signer, digest, signature);
    }
}
