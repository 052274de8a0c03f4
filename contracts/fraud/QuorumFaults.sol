// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {SealedLeaves} from "./SealedLeaves.sol";

/// @title Faults of all who signed a seal or a report
/// @dev Recorded once with who signed; then slashed one by one, so that no number of signers can make it too dear.
abstract contract QuorumFaults is SealedLeaves {
    uint16 private constant PASSED = 1;

    mapping(Kind kind => mapping(uint64 epoch => QuorumFault)) private faults;

    /// @inheritdoc IFraudProofs
    function proveBadSeal(uint64 epoch, Sealed calldata sealed_, bytes32 salt) external {
        _reveal(Kind.BadSeal, 2, 0x2, salt);
        _provableSeed(epoch);
        _checkSealed(epoch, sealed_);
        address deviceKey = deviceRegistry.keyOf(sealed_.deviceId);
        if (deviceKey != address(0) && _sealedSigner(epoch, sealed_) == deviceKey)
            revert FraudProofs_SignatureValid(sealed_.deviceId);
        (uint32 setId, uint32 signers, ) = oracle.presence(epoch);
        _record(Kind.BadSeal, epoch, setId, signers);
    }

    /// @inheritdoc IFraudProofs
    function proveUnsealedPass(
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        Sealed calldata sealed_,
        bytes32 salt
    ) external {
        _reveal(Kind.UnsealedPass, 11, 0x600, salt);
        _provableSeed(leaf.epoch);
        if (!oracle.verifyDevice(leaf, proof)) revert FraudProofs_NotInReport(leaf.epoch);
        if (leaf.flags & PASSED == 0) revert FraudProofs_NotPassed(leaf.deviceId, leaf.flags);
        (, uint32 count, , ) = oracle.sealOf(leaf.epoch);
        if (leaf.sealIndex < count) {
            if (sealed_.index != leaf.sealIndex) revert FraudProofs_OutOfRange("index", sealed_.index, leaf.sealIndex);
            _checkSealed(leaf.epoch, sealed_);
            if (sealed_.deviceId == leaf.deviceId && sealed_.resultRoot == leaf.resultRoot) {
                revert FraudProofs_SealMatches(leaf.sealIndex);
            }
        }
        (uint32 setId, , uint32 signers) = oracle.presence(leaf.epoch);
        _record(Kind.UnsealedPass, leaf.epoch, setId, signers);
    }

    /// @inheritdoc IFraudProofs
    function proveShrunkReward(
        address account,
        RewardLine calldata earlier,
        RewardLine calldata later,
        bytes32 salt
    ) external {
        _reveal(Kind.ShrunkReward, 3, 0x6, salt);
        _provableSeed(later.epoch);
        if (earlier.epoch >= later.epoch) revert FraudProofs_EpochOrder(earlier.epoch, later.epoch);
        if (later.cumulative >= earlier.cumulative) {
            revert FraudProofs_NotShrunk(earlier.cumulative, later.cumulative);
        }
        // Whoever goes on from before a vetoed report shows less than it did, and is right to. A veto after the fact clears
        // nobody who signed the later one.
        if (_checkRewardLine(account, earlier)) revert FraudProofs_Vetoed(earlier.epoch);
        _checkRewardLine(account, later);
        (uint32 setId, , uint32 signers) = oracle.presence(later.epoch);
        _record(Kind.ShrunkReward, later.epoch, setId, signers);
    }

    /// @inheritdoc IFraudProofs
    function slashSigner(Kind kind, uint64 epoch, uint32 seat) external {
        QuorumFault memory fault = faults[kind][epoch];
        if (fault.reporter == address(0)) revert FraudProofs_NotRecorded(kind, epoch);
        if (seat > 31 || (fault.signers >> seat) & 1 == 0) revert FraudProofs_NotSigner(seat, fault.signers);
        (address account, ) = validatorSet.seatAt(fault.setId, seat);
        _slashSeat(kind, account, epoch, fault.reporter);
    }

    /// @inheritdoc IFraudProofs
    function quorumFault(Kind kind, uint64 epoch) external view returns (QuorumFault memory) {
        return faults[kind][epoch];
    }

    function _record(Kind kind, uint64 epoch, uint32 setId, uint32 signers) private {
        _nullify(kind, bytes32(0), epoch);
        faults[kind][epoch] = QuorumFault(msg.sender, setId, signers);
        emit QuorumFaultRecorded(kind, epoch, setId, signers, msg.sender);
    }

    function _checkRewardLine(address account, RewardLine calldata line) private view returns (bool vetoed) {
        bytes32 root;
        (root, , , vetoed) = oracle.rewardsOf(line.epoch);
        bytes32 leaf = OracleTypes.rewardLeaf(account, line.cumulative);
        if (root == 0 || !MerkleProofLib.verifyCalldata(line.proof, root, leaf)) {
            revert FraudProofs_NotInReport(line.epoch);
        }
    }
}
