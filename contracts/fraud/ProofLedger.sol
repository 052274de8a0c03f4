// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {IStakeManager} from "../interfaces/IStakeManager.sol";
import {IValidatorSet} from "../interfaces/IValidatorSet.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";

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
    /// @param words of the arguments' heads before the salt. @param dynamic a bit for each of them that is an offset.
    function _reveal(Kind kind, uint256 words, uint256 dynamic, bytes32 salt) internal {
        bytes32 commitHash = commitHashOf(msg.sender, kind, _argumentsHash(words, dynamic), salt);
        uint256 at = committedAt[commitHash];
        if (at == 0) revert FraudProofs_NotCommitted(commitHash);
        if (block.number <= at) revert FraudProofs_RevealTooEarly(at, block.number);
        if (block.number > at + commitLifetime) revert FraudProofs_CommitExpired(at, block.number);
        delete committedAt[commitHash];
    }

    /// @dev keccak256(abi.encode(arguments without the salt)), taken from the calldata: encoding again costs more gas and
    /// code than copying, leaving out the salt's word and moving the offsets by it.
    function _argumentsHash(uint256 words, uint256 dynamic) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let head := mul(words, 32)
            let free := mload(0x40)
            let rest := sub(calldatasize(), add(head, 36))
            calldatacopy(free, 4, head)
            calldatacopy(add(free, head), add(head, 36), rest)
            for {
                let at := free
            } dynamic {
                at := add(at, 32)
            } {
                if and(dynamic, 1) {
                    mstore(at, sub(mload(at), 32))
                }
                dynamic := shr(1, dynamic)
            }
            hash := keccak256(free, add(head, rest))
        }
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
        (address provider, uint128 stake) = deviceRegistry.markSlashed(deviceId);
        (uint256 taken, ) = stakeManager.slash(provider, stake, reporter);
        emit FaultProven(kind, deviceId, epoch, provider, taken, reporter);
    }

    /// @dev The seat's stake, whole; the seat leaves the sets to come.
    function _slashSeat(Kind kind, address account, uint64 epoch, address reporter) internal {
        bytes32 subject = bytes32(uint256(uint160(account)));
        _nullify(kind, subject, epoch);
        (uint256 taken, ) = stakeManager.slash(account, validatorSet.markSlashed(account), reporter);
        emit FaultProven(kind, subject, epoch, account, taken, reporter);
    }

    /// @dev Digest in EpochOracle's domain.
    function _oracleDigest(bytes32 structHash) internal view returns (bytes32) {
        return OracleTypes.digest(OracleTypes.domain(address(oracle)), structHash);
    }
}
