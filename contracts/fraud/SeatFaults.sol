// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {CommittedWork} from "../libraries/CommittedWork.sol";
import {CompactSignature} from "../libraries/CompactSignature.sol";
import {DeviceJob} from "../libraries/DeviceJob.sol";
import {OracleTypes} from "../libraries/OracleTypes.sol";
import {PositionalMerkle} from "../libraries/PositionalMerkle.sol";
import {SealedLeaf} from "../libraries/SealedLeaf.sol";
import {DeviceFaults} from "./DeviceFaults.sol";

/// @title Faults that one seat signed
abstract contract SeatFaults is DeviceFaults {
    /// @inheritdoc IFraudProofs
    function proveTwoStatements(
        Statement what,
        uint64 epoch,
        uint32 round,
        uint32 seat,
        SignedContent calldata a,
        SignedContent calldata b,
        bytes32
    ) external {
        _reveal();
        (address account, address signer, uint32 setId) = _seatOf(epoch, seat);
        bytes32 first = _statementDigest(what, epoch, setId, round, a.content);
        bytes32 second = _statementDigest(what, epoch, setId, round, b.content);
        if (first == second) revert FraudProofs_SameStatement(first);
        _checkSigner(first, signer, a.r, a.vs);
        _checkSigner(second, signer, b.r, b.vs);
        _slashSeat(Kind.TwoStatements, account, signer, epoch, msg.sender);
    }

    /// @inheritdoc IFraudProofs
    function proveFalsePass(
        Observed calldata observed,
        uint32 q,
        Round calldata round,
        Element calldata element,
        bytes32
    ) external {
        _reveal();
        (address account, address signer, bytes32 rho) = _checkPassed(observed);
        bytes32 seed = oracle.epochSeed(observed.epoch);
        (IDeviceRegistry.Profile memory p, uint32 profileId, , , ) = deviceRegistry.jobOf(observed.deviceId, seed);
        if (profileId == 0) revert FraudProofs_UnknownDevice(observed.deviceId);
        _checkSampled(p, rho, observed.deviceId, q, round.t, element.i);
        _wrongElement(p, observed.resultRoot, seed, round, element);
        _slashSeat(Kind.FalsePass, account, signer, observed.epoch, msg.sender);
    }

    /// @inheritdoc IFraudProofs
    function proveFalsePassChain(
        Observed calldata observed,
        Sealed calldata sealed_,
        Round[] calldata rounds,
        bytes32
    ) external {
        _reveal();
        (address account, address signer, ) = _checkPassed(observed);
        SealedLeaf.check(oracle, observed.epoch, sealed_);
        if (sealed_.deviceId != observed.deviceId || sealed_.resultRoot != observed.resultRoot) {
            revert FraudProofs_OtherResult(sealed_.resultRoot, observed.resultRoot);
        }
        (IDeviceRegistry.Profile memory p, uint32 profileId, , bytes32 seed) = DeviceJob.find(
            oracle,
            deviceRegistry,
            sealed_.deviceId,
            observed.epoch,
            sealed_.jobHash
        );
        bytes32 first = CommittedWork.firstSeed(seed, sealed_.deviceId, profileId, sealed_.nonceRoot);
        _checkBroken(p, sealed_.resultRoot, first, rounds);
        _slashSeat(Kind.FalsePass, account, signer, observed.epoch, msg.sender);
    }

    function _checkSampled(
        IDeviceRegistry.Profile memory p,
        bytes32 rho,
        bytes32 deviceId,
        uint32 q,
        uint32 roundT,
        uint32 elementI
    ) private pure {
        (uint32 t, uint32 i) = CommittedWork.sample(p, rho, deviceId, q);
        if (roundT != t || elementI != i) revert FraudProofs_NotSampled(roundT, elementI, t, i);
    }

    /// @dev Reverts unless the seat itself signed that the device passed, in a provable epoch that was drawn.
    function _checkPassed(Observed calldata o) private view returns (address account, address signer, bytes32 rho) {
        uint32 setId;
        (account, signer, setId) = _seatOf(o.epoch, o.seat);
        rho = _rhoOf(o.epoch);
        bytes32 structHash = keccak256(abi.encode(OracleTypes.OBSERVATIONS, o.epoch, setId, rho, o.batchRoot));
        _checkSigner(_oracleDigest(structHash), signer, o.r, o.vs);
        if (o.flags & OracleTypes.PASSED == 0) revert FraudProofs_NotPassed(o.deviceId, o.flags);
        // A leaf is 160 bytes and a node 64: whatever the depth, neither passes for the other.
        if (o.path.length > 32 || uint256(o.index) >> o.path.length != 0) {
            revert FraudProofs_OutOfRange("index", o.index, o.path.length > 32 ? 0 : uint256(1) << o.path.length);
        }
        bytes32 leaf = keccak256(abi.encode(o.deviceId, o.resultRoot, o.elapsedUs, o.flags, o.uptimeBps));
        bytes32 computed = PositionalMerkle.rootFrom(leaf, o.index, o.path);
        if (computed != o.batchRoot) revert FraudProofs_BadPath(computed, o.batchRoot);
    }

    function _statementDigest(
        Statement what,
        uint64 epoch,
        uint32 setId,
        uint32 round,
        bytes calldata content
    ) private view returns (bytes32) {
        uint256 length = what == Statement.Seal
            ? 64
            : what == Statement.Observations
                ? 32
                : 128;
        if (content.length != length) revert FraudProofs_BadContent(content.length, length);
        bytes memory head;
        if (what == Statement.Seal) {
            if (uint256(bytes32(content[32:64])) > type(uint32).max) revert FraudProofs_BadContent(64, 36);
            head = abi.encode(OracleTypes.SEAL, epoch, setId, round, oracle.epochSeed(epoch));
        } else if (what == Statement.Observations) {
            if (round != 0) revert FraudProofs_OutOfRange("round", round, 0);
            head = abi.encode(OracleTypes.OBSERVATIONS, epoch, setId, _rhoOf(epoch));
        } else {
            head = abi.encode(OracleTypes.REPORT, epoch, setId, round, _rhoOf(epoch));
        }
        return _oracleDigest(keccak256(bytes.concat(head, content)));
    }

    /// @dev Seat of the set that the epoch was opened with; reverts unless the epoch is provable.
    function _seatOf(uint64 epoch, uint32 seat) private view returns (address account, address signer, uint32 setId) {
        DeviceJob.provableSeed(oracle, epoch);
        (setId, , ) = oracle.presence(epoch);
        (account, signer) = validatorSet.seatAt(setId, seat);
        if (account == address(0)) revert FraudProofs_UnknownSeat(setId, seat);
    }

    function _rhoOf(uint64 epoch) private view returns (bytes32 rho) {
        (, , , rho) = oracle.sealOf(epoch);
        if (rho == 0) revert FraudProofs_NotDrawn(epoch);
    }

    function _checkSigner(bytes32 digest, address signer, bytes32 r, bytes32 vs) private view {
        address recovered = CompactSignature.recover(digest, r, vs);
        if (recovered != signer) revert FraudProofs_BadSignature(signer, recovered);
    }
}
