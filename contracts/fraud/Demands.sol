// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "../interfaces/IFraudProofs.sol";
import {CommittedWork} from "../libraries/CommittedWork.sol";
import {PositionalMerkle} from "../libraries/PositionalMerkle.sol";
import {DeviceFaults} from "./DeviceFaults.sol";
import {SealedLeaves} from "./SealedLeaves.sol";

/// @title Openings demanded on-chain
/// @dev The bond pays whoever answers, so that asking a device that answers costs the asker and earns the device.
abstract contract Demands is DeviceFaults, SealedLeaves {
    using SafeERC20 for IERC20;

    uint40 public constant MIN_ANSWER_WINDOW = 24 hours;
    uint256 public constant DEMANDS_PER_EPOCH = 2;

    IERC20 public immutable token;
    uint128 public immutable demandBond;
    uint40 public immutable answerWindow;

    uint256 public demandCount;
    mapping(uint256 demandId => Demand) private demands;
    mapping(bytes32 deviceId => uint256 demandId) public openDemandOf;
    mapping(bytes32 deviceId => mapping(uint64 epoch => uint256)) public demandsMade;
    mapping(address account => uint256) public bondOf;

    constructor(IERC20 token_, uint128 demandBond_, uint40 answerWindow_) {
        if (demandBond_ == 0) revert FraudProofs_BadBound("demandBond", demandBond_, 1);
        if (answerWindow_ < MIN_ANSWER_WINDOW) {
            revert FraudProofs_BadBound("answerWindow", answerWindow_, MIN_ANSWER_WINDOW);
        }
        token = token_;
        demandBond = demandBond_;
        answerWindow = answerWindow_;
    }

    /// @inheritdoc IFraudProofs
    function demand(
        uint64 epoch,
        Sealed calldata sealed_,
        bool isRow,
        uint32 index
    ) external returns (uint256 demandId) {
        bytes32 deviceId = sealed_.deviceId;
        (IDeviceRegistry.Profile memory p, , address deviceKey, ) = _jobOf(deviceId, epoch, sealed_.jobHash);
        _checkSealed(epoch, sealed_);
        // A leaf that the device did not sign is its sealers' fault, and nothing that the device could answer for.
        address recovered = _sealedSigner(epoch, sealed_);
        if (recovered != deviceKey) revert FraudProofs_BadSignature(deviceKey, recovered);
        if (openDemandOf[deviceId] != 0) revert FraudProofs_DemandOpen(deviceId, openDemandOf[deviceId]);
        if (demandsMade[deviceId][epoch]++ >= DEMANDS_PER_EPOCH) revert FraudProofs_TooManyDemands(deviceId, epoch);

        demandId = ++demandCount;
        Demand storage d = demands[demandId];
        if (isRow) {
            (, , , bytes32 rho) = oracle.sealOf(epoch);
            if (rho == 0) revert FraudProofs_NotDrawn(epoch);
            (d.t, d.i) = CommittedWork.sample(p, rho, deviceId, index);
        } else {
            CommittedWork.checkBelow("t", index, p.T);
            d.t = index;
        }
        d.demander = msg.sender;
        d.epoch = epoch;
        d.isRow = isRow;
        d.open = true;
        d.deviceId = deviceId;
        d.resultRoot = sealed_.resultRoot;
        d.bond = demandBond;
        d.deadline = uint40(block.timestamp) + answerWindow;
        openDemandOf[deviceId] = demandId;
        emit DemandMade(demandId, deviceId, epoch, isRow, d.t, d.i, d.deadline, msg.sender);
        (, , d.provider, , ) = deviceRegistry.jobOf(deviceId, 0);
        stakeManager.openDemand(d.provider);
        token.safeTransferFrom(msg.sender, address(this), demandBond);
    }

    /// @inheritdoc IFraudProofs
    function answerRound(uint256 demandId, Round calldata round) external {
        (Demand storage d, IDeviceRegistry.Profile memory p) = _answerable(demandId, false);
        _checkRoundOf(d, p, round);
        _answered(demandId, d);
    }

    /// @inheritdoc IFraudProofs
    function answerRow(uint256 demandId, Round calldata round, bytes calldata row, bytes32[] calldata path) external {
        (Demand storage d, IDeviceRegistry.Profile memory p) = _answerable(demandId, true);
        _checkRoundOf(d, p, round);
        CommittedWork.checkPath(CommittedWork.rowRoot(p, row), d.i, path, PositionalMerkle.depth(p.M), round.root);
        _answered(demandId, d);
    }

    /// @inheritdoc IFraudProofs
    function expireDemand(uint256 demandId) external {
        Demand storage d = demands[demandId];
        if (!d.open) revert FraudProofs_NoDemand(demandId);
        if (block.timestamp <= d.deadline) revert FraudProofs_NotExpired(demandId, d.deadline, block.timestamp);
        _close(demandId, d, d.demander);
        emit DemandExpired(demandId);
        // A second demand of the epoch that runs out as well closes without a second slash.
        if (!proven(Kind.WithheldOpening, d.deviceId, d.epoch)) {
            _slashDevice(Kind.WithheldOpening, d.deviceId, d.epoch, d.demander);
        }
    }

    /// @inheritdoc IFraudProofs
    function collectBonds(address receiver) external returns (uint256 amount) {
        if (receiver == address(0)) revert FraudProofs_ZeroReceiver();
        amount = bondOf[msg.sender];
        if (amount == 0) revert FraudProofs_NothingToCollect(msg.sender);
        bondOf[msg.sender] = 0;
        emit BondCollected(msg.sender, receiver, amount);
        token.safeTransfer(receiver, amount);
    }

    /// @inheritdoc IFraudProofs
    function demandOf(uint256 demandId) external view returns (Demand memory) {
        return demands[demandId];
    }

    function _answerable(
        uint256 demandId,
        bool isRow
    ) private view returns (Demand storage d, IDeviceRegistry.Profile memory p) {
        d = demands[demandId];
        if (!d.open) revert FraudProofs_NoDemand(demandId);
        if (d.isRow != isRow) revert FraudProofs_WrongAnswer(demandId, d.isRow);
        if (block.timestamp > d.deadline) revert FraudProofs_AnswerTooLate(demandId, d.deadline, block.timestamp);
        (p, , , , ) = deviceRegistry.jobOf(d.deviceId, 0);
    }

    function _checkRoundOf(Demand storage d, IDeviceRegistry.Profile memory p, Round calldata round) private view {
        if (round.t != d.t) revert FraudProofs_OutOfRange("t", round.t, d.t);
        CommittedWork.checkRound(p, d.resultRoot, round);
    }

    function _answered(uint256 demandId, Demand storage d) private {
        emit DemandAnswered(demandId, msg.sender);
        _close(demandId, d, msg.sender);
    }

    function _close(uint256 demandId, Demand storage d, address bondTo) private {
        d.open = false;
        delete openDemandOf[d.deviceId];
        bondOf[bondTo] += d.bond;
        stakeManager.closeDemand(d.provider);
    }
}
