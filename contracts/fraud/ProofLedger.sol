// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {IStakeManager} from "../interfaces/IStakeManager.sol";
import {IValidatorSet} from "../interfaces/IValidatorSet.sol";

/// @title What every proof shares: commit and reveal, nullifiers, the slash
abstract contract ProofLedger is IFraudProofs {
    IEpochOracle public immutable oracle;
    IDeviceRegistry public immutable deviceRegistry;
    IStakeManager public immutable stakeManager;
    IValidatorSet public immutable validatorSet;

    /// @notice Blocks after which a commitment is worth nothing.
    uint32 public immutable commitLifetime;

    /// @notice Block of each commitment.
    mapping(bytes32 commitHash => uint256) public committedAt;
    mapping(bytes32 nullifier => bool) private nullified;

    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager_,
        IValidatorSet validatorSet_,
        uint32 commitLifetime_
    ) {
        if (commitLifetime_ < 2) revert FraudProofs_BadBound("commitLifetime", commitLifetime_, 2);
        oracle = oracle_;
        deviceRegistry = deviceRegistry_;
        stakeManager = stakeManager_;
        validatorSet = validatorSet_;
        commitLifetime = commitLifetime_;
    }

    /// @inheritdoc IFraudProofs
    function commit(bytes32 commitHash) external {
        uint256 at = committedAt[commitHash];
        if (at != 0 && block.number <= at + commitLifetime) revert FraudProofs_AlreadyCommitted(commitHash);
        committedAt[commitHash] = block.number;
        emit ProofCommitted(msg.sender, commitHash, block.number);
    }

    /// @inheritdoc IFraudProofs
    function commitHashOf(address reporter, Kind kind, bytes32 proofHash, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(reporter, kind, proofHash, salt));
    }

    /// @inheritdoc IFraudProofs
    function proven(Kind kind, bytes32 subject, uint64 epoch) public view returns (bool) {
        return nullified[keccak256(abi.encode(kind, subject, epoch))];
    }

    /// @dev Spends the caller's commitment to this very proof.
    function _reveal(Kind kind, bytes32 proofHash, bytes32 salt) internal {
        bytes32 commitHash = commitHashOf(msg.sender, kind, proofHash, salt);
        uint256 at = committedAt[commitHash];
        if (at == 0) revert FraudProofs_NotCommitted(commitHash);
        if (block.number <= at) revert FraudProofs_RevealTooEarly(at, block.number);
        if (block.number > at + commitLifetime) revert FraudProofs_CommitExpired(at, block.number);
        delete committedAt[commitHash];
    }

    /// @dev Seed of an epoch that can still be proven against.
    function _provableSeed(uint64 epoch) internal view returns (bytes32 seed) {
        seed = oracle.epochSeed(epoch);
        if (seed == 0 || !oracle.provable(epoch)) revert FraudProofs_NotProvable(epoch);
    }

    function _nullify(Kind kind, bytes32 subject, uint64 epoch) internal {
        bytes32 nullifier = keccak256(abi.encode(kind, subject, epoch));
        if (nullified[nullifier]) revert FraudProofs_AlreadyProven(kind, subject, epoch);
        nullified[nullifier] = true;
    }

    /// @dev The device's stake, whole; the device leaves the market.
    function _slashDevice(Kind kind, bytes32 deviceId, uint64 epoch, address reporter) internal {
        _nullify(kind, deviceId, epoch);
        IDeviceRegistry.Device memory d = deviceRegistry.device(deviceId);
        uint128 amount = deviceRegistry.profile(d.profile).stake;
        deviceRegistry.markSlashed(deviceId);
        (uint256 taken,) = stakeManager.slash(d.provider, amount, reporter);
        emit FaultProven(kind, deviceId, epoch, d.provider, taken, reporter);
    }

    /// @dev The seat's stake, whole; the seat leaves the sets to come.
    function _slashSeat(Kind kind, address account, uint64 epoch, address reporter) internal {
        bytes32 subject = bytes32(uint256(uint160(account)));
        _nullify(kind, subject, epoch);
        uint128 amount = validatorSet.member(account).stake;
        validatorSet.markSlashed(account);
        (uint256 taken,) = stakeManager.slash(account, amount, reporter);
        emit FaultProven(kind, subject, epoch, account, taken, reporter);
    }
}
