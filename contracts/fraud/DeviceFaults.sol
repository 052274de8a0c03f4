// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {CommittedWork} from "../libraries/CommittedWork.sol";
import {JobHash} from "../libraries/JobHash.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {QuorumSignatures} from "../libraries/QuorumSignatures.sol";
import {ProofLedger} from "./ProofLedger.sol";

/// @title Faults that a device signed
abstract contract DeviceFaults is ProofLedger {
    /// @inheritdoc IFraudProofs
    function proveWrongElement(
        Commitment calldata c,
        Round calldata round,
        Element calldata element,
        bytes32 salt
    ) external {
        _reveal(Kind.WrongElement, keccak256(abi.encode(c, round, element)), salt);
        (IDeviceRegistry.Profile memory p,, bytes32 seed) = _signedJob(c);
        CommittedWork.checkRound(p, c.resultRoot, round);
        int32 claimed = CommittedWork.claimedElement(p, round.root, element);
        int32 correct = CommittedWork.correctElement(p, round.seed, seed, element);
        if (claimed == correct) revert FraudProofs_ElementCorrect(claimed);
        emit WrongElementShown(c.deviceId, c.epoch, round.t, element.i, element.j, claimed, correct);
        _slashDevice(Kind.WrongElement, c.deviceId, c.epoch, msg.sender);
    }

    /// @inheritdoc IFraudProofs
    function proveBrokenChain(Commitment calldata c, Round[] calldata rounds, bytes32 salt) external {
        _reveal(Kind.BrokenChain, keccak256(abi.encode(c, rounds)), salt);
        (IDeviceRegistry.Profile memory p, uint32 profileId, bytes32 seed) = _signedJob(c);
        bytes32 first = CommittedWork.firstSeed(seed, c.deviceId, profileId, c.nonceRoot);
        if (!CommittedWork.chainBroken(p, c.resultRoot, first, rounds)) {
            revert FraudProofs_ChainCorrect(rounds[rounds.length - 1].t);
        }
        _slashDevice(Kind.BrokenChain, c.deviceId, c.epoch, msg.sender);
    }

    /// @dev Checks that the device signed this commitment for the job that the chain knows, in a provable epoch.
    function _signedJob(Commitment calldata c)
        internal
        view
        returns (IDeviceRegistry.Profile memory p, uint32 profileId, bytes32 seed)
    {
        (p, profileId, seed) = _jobOf(c.deviceId, c.epoch, c.jobHash);
        address deviceKey = deviceRegistry.device(c.deviceId).deviceKey;
        address recovered = QuorumSignatures.recover(_commitmentDigest(c), c.r, c.vs);
        if (recovered != deviceKey) revert FraudProofs_BadSignature(deviceKey, recovered);
    }

    /// @dev Profile and seed of a device's job, where `jobHash` is that job's.
    function _jobOf(bytes32 deviceId, uint64 epoch, bytes32 jobHash)
        internal
        view
        returns (IDeviceRegistry.Profile memory p, uint32 profileId, bytes32 seed)
    {
        seed = _provableSeed(epoch);
        IDeviceRegistry.Device memory d = deviceRegistry.device(deviceId);
        if (d.deviceKey == address(0)) revert FraudProofs_UnknownDevice(deviceId);
        profileId = d.profile;
        p = deviceRegistry.profile(profileId);
        bytes32 expected = JobHash.compute(p, profileId, seed);
        if (jobHash != expected) revert FraudProofs_JobMismatch(jobHash, expected);
    }

    function _commitmentDigest(Commitment calldata c) internal view returns (bytes32) {
        return OracleTypes.digest(OracleTypes.domain(address(oracle)), _commitmentHash(c));
    }

    function _commitmentHash(Commitment calldata c) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(OracleTypes.COMMITMENT, c.epoch, c.jobHash, c.deviceId, c.nonceRoot, c.resultRoot)
        );
    }
}
