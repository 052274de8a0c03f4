// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "../interfaces/IEpochOracle.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {Offers} from "./Offers.sol";

/// @title What the oracle's reports say of devices, and how long it counts
abstract contract Reports is ILeaseEscrow {
    uint256 private constant EPOCHS_KEPT = 64; // whose downtime is known to be credited or not

    IEpochOracle public immutable oracle;
    /// @inheritdoc ILeaseEscrow
    uint40 public immutable holdback;
    /// @inheritdoc ILeaseEscrow
    uint32 public immutable maxAge;
    uint40 private immutable genesis;
    uint32 private immutable epochLength;

    constructor(IEpochOracle oracle_, uint32 maxAge_, uint40 holdback_) {
        if (maxAge_ == 0 || maxAge_ >= oracle_.ringSize()) {
            revert LeaseEscrow_BadBound("maxAge", maxAge_, oracle_.ringSize());
        }
        IEpochOracle.Timing memory t = oracle_.timing();
        // A refund for an epoch must be able to come before the claim that takes its money.
        uint256 least = 2 * uint256(t.epochLength) + t.reportBy;
        if (holdback_ < least) revert LeaseEscrow_BadBound("holdback", holdback_, least);
        // While an epoch's downtime can be refunded its report is kept, and so is whether it was.
        uint256 most = uint256(t.epochLength) + t.proofWindow - 1;
        uint256 counted = (EPOCHS_KEPT - 2) * uint256(t.epochLength) - 1;
        if (counted < most) most = counted;
        if (holdback_ > most) revert LeaseEscrow_BadBound("holdback", holdback_, most);
        oracle = oracle_;
        holdback = holdback_;
        maxAge = maxAge_;
        genesis = t.genesis;
        epochLength = t.epochLength;
    }

    /// @dev Every device passed in one recent epoch, with the score and the memory asked for.
    function _checkMeasured(
        bytes32[] calldata ids,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs,
        uint64 minScore,
        uint32 minMemoryMiB
    ) internal view {
        uint256 epoch = Offers.checkMeasured(ids, leaves, minScore, minMemoryMiB);
        uint256 until = _epochStart(epoch + maxAge + 1);
        if (block.timestamp >= until) revert LeaseEscrow_ReportTooOld(epoch, until, block.timestamp);
        Offers.checkAllReported(_devicesRootOf(epoch), leaves, proofs);
    }

    /// @dev Zero where there is no report.
    function _devicesRootOf(uint256 epoch) internal view returns (bytes32) {
        return oracle.devicesRootOf(uint64(epoch));
    }

    /// @dev Seconds down of what epoch and lease have in common.
    function _downtimeOf(Lease memory l, uint256 epoch, uint256 uptimeBps) internal view returns (uint256 down) {
        uint256 from = _epochStart(epoch);
        uint256 to = _epochStart(epoch + 1);
        if (from < l.start) from = l.start;
        if (to > l.stop) to = l.stop;
        if (from >= to) revert LeaseEscrow_EpochOutsideLease(epoch, l.start, l.stop);
        // A report may come before its epoch is over, and the stop may still move.
        if (block.timestamp < to) revert LeaseEscrow_EpochNotOver(epoch, to, block.timestamp);
        // Claims reach up to now - holdback; later the epoch's money may be gone.
        uint256 closes = from + _holdback();
        if (block.timestamp > closes) revert LeaseEscrow_DowntimeTooOld(epoch, closes, block.timestamp);
        if (uptimeBps < 10_000) down = ((to - from) * (10_000 - uptimeBps)) / 10_000;
        if (down == 0) revert LeaseEscrow_NoDowntime(epoch, uptimeBps);
    }

    /// @dev An immutable is 32 bytes of code wherever it stands: this one stands once.
    function _holdback() internal view returns (uint256) {
        return holdback;
    }

    function _epochStart(uint256 epoch) private view returns (uint256) {
        unchecked {
            return genesis + epoch * epochLength; // 65 and 32 bits
        }
    }
}
