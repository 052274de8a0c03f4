// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {DeviceJob} from "../libraries/DeviceJob.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {SealedLeaf} from "../libraries/SealedLeaf.sol";
import {ProofLedger} from "./ProofLedger.sol";

/// @title Faults of all who signed a seal or a report
/// @dev Recorded once with who signed; then slashed one by one, so that no number of signers can make it too dear.
abstract contract QuorumFaults is ProofLedger {
    mapping(Kind kind => mapping(uint64 epoch => QuorumFault)) private faults;

    /// @inheritdoc IFraudProofs
    function proveBadSeal(uint64 epoch, Sealed calldata sealed_, bytes32) external {
        _reveal();
        DeviceJob.provableSeed(oracle, epoch);
        SealedLeaf.check(oracle, epoch, sealed_);
        address deviceKey = deviceRegistry.keyOf(sealed_.deviceId);
        if (deviceKey != address(0) && SealedLeaf.signer(oracle, epoch, sealed_) == deviceKey) {
            revert FraudProofs_SignatureValid(sealed_.deviceId);
        }
        (uint32 setId, uint32 signers, ) = oracle.presence(epoch);
        _record(Kind.BadSeal, epoch, setId, signers);
    }

    /// @inheritdoc IFraudProofs
    function proveUnsealedPass(
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        Sealed calldata sealed_,
        bytes32
    ) external {
        _reveal();
        DeviceJob.provableSeed(oracle, leaf.epoch);
        if (!oracle.verifyDevice(leaf, proof)) revert FraudProofs_NotInReport(leaf.epoch);
        if (leaf.flags & OracleTypes.PASSED == 0) revert FraudProofs_NotPassed(leaf.deviceId, leaf.flags);
        (, uint32 count, , ) = oracle.sealOf(leaf.epoch);
        if (leaf.sealIndex < count) {
            if (sealed_.index != leaf.sealIndex) revert FraudProofs_OutOfRange("index", sealed_.index, leaf.sealIndex);
            SealedLeaf.check(oracle, leaf.epoch, sealed_);
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
        bytes32
    ) external {
        _reveal();
        DeviceJob.provableSeed(oracle, later.epoch);
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
        uint32 signers = fault.signers | _signersNow(kind, epoch);
        if ((signers >> seat) & 1 == 0) revert FraudProofs_NotSigner(seat, signers);
        (address account, address signer) = validatorSet.seatAt(fault.setId, seat);
        _slashSeat(kind, account, signer, epoch, fault.reporter);
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

    /// @dev Who has signed by now; nobody where the oracle no longer keeps the epoch. Signatures can be added to what was
    /// accepted, and whoever adds his to a fault that was proven is no less guilty than who signed before.
    function _signersNow(Kind kind, uint64 epoch) private view returns (uint32) {
        (, uint32 sealSigners, uint32 reportSigners) = oracle.presence(epoch);
        return kind == Kind.BadSeal ? sealSigners : reportSigners;
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
