// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {CommittedWork} from "../libraries/CommittedWork.sol";
import {PositionalMerkle} from "../libraries/PositionalMerkle.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {CompactSignature} from "../libraries/CompactSignature.sol";
import {ProofLedger} from "./ProofLedger.sol";

/// @title What stands in a seal
abstract contract SealedLeaves is ProofLedger {
    /// @dev Reverts unless the leaf stands at its index under the seal of the epoch.
    function _checkSealed(uint64 epoch, Sealed calldata s) internal view {
        (bytes32 sealRoot, uint32 count, , ) = oracle.sealOf(epoch);
        if (count == 0) revert FraudProofs_NotSealed(epoch);
        CommittedWork.checkBelow("index", s.index, count);
        bytes32 leaf = keccak256(abi.encode(s.deviceId, s.jobHash, s.nonceRoot, s.resultRoot, s.laneRoot, s.r, s.vs));
        CommittedWork.checkPath(leaf, s.index, s.path, PositionalMerkle.depth(count), sealRoot);
    }

    /// @dev Who signed the commitment in a sealed leaf; zero for nobody.
    function _sealedSigner(uint64 epoch, Sealed calldata s) internal view returns (address) {
        bytes32 structHash = keccak256(
            abi.encode(OracleTypes.COMMITMENT, epoch, s.jobHash, s.deviceId, s.nonceRoot, s.resultRoot)
        );
        return CompactSignature.recover(_oracleDigest(structHash), s.r, s.vs);
    }
}
