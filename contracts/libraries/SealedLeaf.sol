// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudErrors} from "../interfaces/IFraudErrors.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {CommittedWork} from "./CommittedWork.sol";
import {CompactSignature} from "./CompactSignature.sol";
import {OracleTypes} from "./OracleTypes.sol";
import {PositionalMerkle} from "./PositionalMerkle.sol";

/// @title What stands in a seal
/// @notice A leaf of the tree under a seal holds what its device committed to, and the device's own signature.
library SealedLeaf {
    /// @notice Reverts unless the leaf stands at its index under the seal of the epoch.
    /// @param oracle knows the seals
    /// @param epoch of the seal
    /// @param s the leaf
    function check(IEpochOracle oracle, uint64 epoch, IFraudProofs.Sealed calldata s) internal view {
        (bytes32 sealRoot, uint32 count, , ) = oracle.sealOf(epoch);
        if (count == 0) revert IFraudErrors.FraudProofs_NotSealed(epoch);
        CommittedWork.checkBelow("index", s.index, count);
        bytes32 leaf = keccak256(abi.encode(s.deviceId, s.jobHash, s.nonceRoot, s.resultRoot, s.laneRoot, s.r, s.vs));
        CommittedWork.checkPath(leaf, s.index, s.path, PositionalMerkle.depth(count), sealRoot);
    }

    /// @notice Who signed the commitment in the leaf.
    /// @param oracle in whose domain devices sign
    /// @param epoch of the commitment
    /// @param s the leaf
    /// @return account zero for nobody
    function signer(
        IEpochOracle oracle,
        uint64 epoch,
        IFraudProofs.Sealed calldata s
    ) internal view returns (address account) {
        bytes32 structHash = keccak256(
            abi.encode(OracleTypes.COMMITMENT, epoch, s.jobHash, s.deviceId, s.nonceRoot, s.resultRoot)
        );
        bytes32 digest = OracleTypes.digest(OracleTypes.domain(address(oracle)), structHash);
        return CompactSignature.recover(digest, s.r, s.vs);
    }
}
