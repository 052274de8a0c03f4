// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {SeatBlob} from "./SeatBlob.sol";

/// @title Compact signatures of seats under a 32-bit mask
/// @notice One EIP-2098 signature of 64 bytes for each bit of the mask, in seat order, none above the set, low s, exact
/// length. A bit cannot count twice, and a signature cannot stand for another seat.
library QuorumSignatures {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

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
        uint256 signed = bitCount(signers);
        if (signed < least) revert IEpochOracle.EpochOracle_NoQuorum(signed, least);
        if (signatures.length != signed * 64)
            revert IEpochOracle.EpochOracle_SignatureLength(signatures.length, signed * 64);
        bytes memory expected = SeatBlob.packedSigners(blob, n);
        uint256 at;
        for (uint256 index = 0; index < n; ++index) {
            if ((signers >> index) & 1 == 0) continue;
            address signer;
            bytes32 r;
            bytes32 vs;
            // The lengths of both were checked above: indexing them again would cost a sixth of the whole.
            assembly ("memory-safe") {
                signer := shr(96, mload(add(add(expected, 0x20), mul(index, 20))))
                r := calldataload(add(signatures.offset, at))
                vs := calldataload(add(signatures.offset, add(at, 0x20)))
                at := add(at, 0x40)
            }
            address recovered = recover(digest, r, vs);
            if (recovered != signer || recovered == address(0)) {
                revert IEpochOracle.EpochOracle_BadSignature(index, signer, recovered);
            }
        }
    }

    /// @notice Signer of a compact signature; zero where it is malformed or has a high s.
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

    function bitCount(uint32 mask) internal pure returns (uint256 bits) {
        for (uint256 rest = mask; rest != 0; rest &= rest - 1) ++bits;
    }
}
