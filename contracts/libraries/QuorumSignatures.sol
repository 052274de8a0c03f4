// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LibBit} from "solady/src/utils/LibBit.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
// Used in assembly only, where solhint does not look.
// solhint-disable-next-line no-unused-import
import {HALF_ORDER} from "./CompactSignature.sol";
import {SeatBlob} from "./SeatBlob.sol";

/// @title Compact signatures of seats under a 32-bit mask
/// @notice One EIP-2098 signature of 64 bytes for each bit of the mask, in seat order, none above the set, low s, exact
/// length. A bit cannot count twice, and a signature cannot stand for another seat.
library QuorumSignatures {
    /// @notice ⌊2n/3⌋ + 1.
    function quorumOf(uint256 seats) internal pure returns (uint256) {
        return (2 * seats) / 3 + 1;
    }

    /// @notice Reverts unless at least `least` seats of the set signed `digest`, and all that the mask names did.
    function check(
        bytes32 digest,
        address blob,
        uint32 signers,
        bytes calldata signatures,
        uint256 least
    ) internal view {
        uint256 n = SeatBlob.count(blob);
        if (uint256(signers) >> n != 0) revert IEpochOracle.EpochOracle_SignersOutOfSet(signers, n);
        uint256 signed = LibBit.popCount(signers);
        if (signed < least) revert IEpochOracle.EpochOracle_NoQuorum(signed, least);
        if (signatures.length != signed * 64)
            revert IEpochOracle.EpochOracle_SignatureLength(signatures.length, signed * 64);
        (bool good, uint256 seat, address expected, address recovered) = _checkEach(
            digest,
            blob,
            n,
            signers,
            signatures
        );
        if (!good) revert IEpochOracle.EpochOracle_BadSignature(seat, expected, recovered);
    }

    /// @dev The first seat whose signature is not its own. The mask has no bit beyond the n seats, and the signatures are as
    /// many as its bits: `check` made sure of both. By hand because it runs for each signature: 200 gas a seat and not 800.
    function _checkEach(
        bytes32 digest,
        address blob,
        uint256 n,
        uint256 mask,
        bytes calldata signatures
    ) private view returns (bool good, uint256 seat, address expected, address recovered) {
        assembly ("memory-safe") {
            // Above the free pointer: the input of ecrecover in four words, then the signers, 20 bytes each.
            let input := mload(0x40)
            let signer := add(input, 0x80)
            extcodecopy(blob, signer, 1, mul(n, 20))
            mstore(input, digest)
            let at := signatures.offset
            good := 1
            for {} mask {
                mask := shr(1, mask)
                seat := add(seat, 1)
                signer := add(signer, 20)
            } {
                if and(mask, 1) {
                    let vs := calldataload(add(at, 0x20))
                    let s := and(vs, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
                    mstore(add(input, 0x20), add(shr(255, vs), 27))
                    mstore(add(input, 0x40), calldataload(at))
                    mstore(add(input, 0x60), s)
                    at := add(at, 0x40)
                    // A signature that recovers nobody leaves zero.
                    mstore(0x00, 0)
                    pop(staticcall(gas(), 1, input, 0x80, 0x00, 0x20))
                    recovered := mul(mload(0x00), iszero(gt(s, HALF_ORDER)))
                    expected := shr(96, mload(signer))
                    if or(iszero(recovered), xor(recovered, expected)) {
                        good := 0
                        break
                    }
                }
            }
        }
    }
}
