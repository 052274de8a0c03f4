// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {CommittedWork} from "../libraries/CommittedWork.sol";
import {CompactSignature} from "../libraries/CompactSignature.sol";
import {DeviceJob} from "../libraries/DeviceJob.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {ProofLedger} from "./ProofLedger.sol";

/// @title Faults that a device signed
abstract contract DeviceFaults is ProofLedger {
    /// @inheritdoc IFraudProofs
    function proveWrongElement(
        Commitment calldata c,
        Round calldata round,
        Element calldata element,
        bytes32
    ) external {
        _reveal();
        (IDeviceRegistry.Profile memory p, , bytes32 seed) = _signedJob(c);
        (int32 claimed, int32 correct) = _wrongElement(p, c.resultRoot, seed, round, element);
        emit WrongElementShown(c.deviceId, c.epoch, round.t, element.i, element.j, claimed, correct);
        _slashDevice(Kind.WrongElement, c.deviceId, c.epoch, msg.sender);
    }

    /// @inheritdoc IFraudProofs
    function proveBrokenChain(Commitment calldata c, Round[] calldata rounds, bytes32) external {
        _reveal();
        (IDeviceRegistry.Profile memory p, uint32 profileId, bytes32 seed) = _signedJob(c);
        bytes32 first = CommittedWork.firstSeed(seed, c.deviceId, profileId, c.nonceRoot);
        _checkBroken(p, c.resultRoot, first, rounds);
        _slashDevice(Kind.BrokenChain, c.deviceId, c.epoch, msg.sender);
    }

    /// @inheritdoc IFraudProofs
    function proveTwoCommitments(Commitment calldata a, Commitment calldata b, bytes32) external {
        _reveal();
        if (a.deviceId != b.deviceId || a.epoch != b.epoch) revert FraudProofs_OtherResult(b.deviceId, a.deviceId);
        bytes32 structHash = _commitmentHash(a);
        if (structHash == _commitmentHash(b)) revert FraudProofs_SameCommitment(structHash);
        // Both job hashes must be the chain's, and the job hash holds the epoch seed: a reorg makes no second commitment.
        _signedJob(a);
        _signedJob(b);
        _slashDevice(Kind.TwoCommitments, a.deviceId, a.epoch, msg.sender);
    }

    /// @dev Reverts unless the committed element differs from the one recomputed.
    function _wrongElement(
        IDeviceRegistry.Profile memory p,
        bytes32 resultRoot,
        bytes32 epochSeed,
        Round calldata round,
        Element calldata element
    ) internal pure returns (int32 claimed, int32 correct) {
        CommittedWork.checkRound(p, resultRoot, round);
        claimed = CommittedWork.claimedElement(p, round.root, element);
        correct = CommittedWork.correctElement(p, round.seed, epochSeed, element);
        if (claimed == correct) revert FraudProofs_ElementCorrect(claimed);
    }

    function _checkBroken(
        IDeviceRegistry.Profile memory p,
        bytes32 resultRoot,
        bytes32 first,
        Round[] calldata rounds
    ) internal pure {
        if (!CommittedWork.chainBroken(p, resultRoot, first, rounds)) {
            revert FraudProofs_ChainCorrect(rounds[rounds.length - 1].t);
        }
    }

    /// @dev Checks that the device signed this commitment for the job that the chain knows, in a provable epoch.
    function _signedJob(
        Commitment calldata c
    ) private view returns (IDeviceRegistry.Profile memory p, uint32 profileId, bytes32 seed) {
        address deviceKey;
        (p, profileId, deviceKey, seed) = DeviceJob.find(oracle, deviceRegistry, c.deviceId, c.epoch, c.jobHash);
        address recovered = CompactSignature.recover(_oracleDigest(_commitmentHash(c)), c.r, c.vs);
        if (recovered != deviceKey) revert FraudProofs_BadSignature(deviceKey, recovered);
    }

    function _commitmentHash(Commitment calldata c) private pure returns (bytes32) {
        return keccak256(abi.encode(OracleTypes.COMMITMENT, c.epoch, c.jobHash, c.deviceId, c.nonceRoot, c.resultRoot));
    }
}
