// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {IStakeManager} from "../interfaces/IStakeManager.sol";
import {IValidatorSet} from "../interfaces/IValidatorSet.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";

/// @title What every proof shares: commit and reveal, nullifiers, the slash
/// @dev What is called from here is the network's own and calls nobody else's code; still, nullifiers are written first.
abstract contract ProofLedger is IFraudProofs {
    /// @notice Blocks between a commitment and the first block in which its proof is taken.
    /// @dev Whoever sees a proof on its way can commit in the next block at the earliest, and then must wait as long again.
    uint256 public constant REVEAL_DELAY = 2;

    IEpochOracle public immutable oracle;
    IDeviceRegistry public immutable deviceRegistry;
    IStakeManager public immutable stakeManager;
    IValidatorSet public immutable validatorSet;
    address public immutable openingDemands;

    /// @inheritdoc IFraudProofs
    uint32 public immutable commitLifetime;

    /// @inheritdoc IFraudProofs
    mapping(bytes32 commitHash => uint256) public committedAt;

    mapping(bytes32 nullifier => bool) private nullified;

    constructor(
        IEpochOracle oracle_,
        IDeviceRegistry deviceRegistry_,
        IStakeManager stakeManager_,
        IValidatorSet validatorSet_,
        address openingDemands_,
        uint32 commitLifetime_
    ) {
        if (commitLifetime_ <= REVEAL_DELAY) {
            revert FraudProofs_BadBound("commitLifetime", commitLifetime_, REVEAL_DELAY + 1);
        }
        oracle = oracle_;
        deviceRegistry = deviceRegistry_;
        stakeManager = stakeManager_;
        validatorSet = validatorSet_;
        openingDemands = openingDemands_;
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
    function convictWithheld(bytes32 deviceId, uint64 epoch, address reporter) external {
        if (msg.sender != openingDemands) revert FraudProofs_NotOpeningDemands(msg.sender);
        _slashDevice(Kind.WithheldOpening, deviceId, epoch, reporter);
    }

    /// @inheritdoc IFraudProofs
    function commitHashOf(address reporter, bytes calldata proofCall) public pure returns (bytes32) {
        return keccak256(abi.encode(reporter, keccak256(proofCall)));
    }

    /// @inheritdoc IFraudProofs
    function proven(Kind kind, bytes32 subject, uint64 epoch) external view returns (bool) {
        return nullified[_nullifier(kind, subject, epoch)];
    }

    /// @dev Spends the caller's commitment to this very call: what was committed to is its calldata, byte for byte, the salt
    /// in it, so that no encoding of the arguments has to be made again.
    function _reveal() internal {
        bytes32 commitHash = commitHashOf(msg.sender, msg.data);
        uint256 at = committedAt[commitHash];
        if (at == 0) revert FraudProofs_NotCommitted(commitHash);
        if (block.number < at + REVEAL_DELAY) revert FraudProofs_RevealTooEarly(at, block.number);
        if (block.number > at + commitLifetime) revert FraudProofs_CommitExpired(at, block.number);
        delete committedAt[commitHash];
    }

    function _nullify(Kind kind, bytes32 subject, uint64 epoch) internal {
        bytes32 nullifier = _nullifier(kind, subject, epoch);
        if (nullified[nullifier]) revert FraudProofs_AlreadyProven(kind, subject, epoch);
        nullified[nullifier] = true;
    }

    /// @dev What the device has reserved; the device leaves the market. Reverts where it does not answer for the epoch or
    /// has been slashed before, for whatever.
    function _slashDevice(Kind kind, bytes32 deviceId, uint64 epoch, address reporter) internal {
        _nullify(kind, deviceId, epoch);
        (address provider, uint128 stake) = deviceRegistry.markSlashed(deviceId, epoch);
        uint256 heldId = stakeManager.slash(provider, stake, reporter);
        emit FaultProven(kind, deviceId, epoch, provider, stake, heldId, reporter);
    }

    /// @dev What the seat has reserved; the seat leaves the sets to come. Reverts where nothing is left of it: the account's
    /// other stake, and what it put down for a seat with another signer, are no part of this one.
    function _slashSeat(Kind kind, address account, address signer, uint64 epoch, address reporter) internal {
        bytes32 subject = bytes32(uint256(uint160(account)));
        _nullify(kind, subject, epoch);
        uint128 stake = validatorSet.markSlashed(account, signer);
        uint256 heldId = stakeManager.slash(account, stake, reporter);
        emit FaultProven(kind, subject, epoch, account, stake, heldId, reporter);
    }

    /// @dev Digest in EpochOracle's domain.
    function _oracleDigest(bytes32 structHash) internal view returns (bytes32) {
        return OracleTypes.digest(OracleTypes.domain(address(oracle)), structHash);
    }

    function _nullifier(Kind kind, bytes32 subject, uint64 epoch) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, subject, epoch));
    }
}
