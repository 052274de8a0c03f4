// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";
import {IFormerEscrow} from "../interfaces/IFormerEscrow.sol";
import {StreamMath} from "../libraries/StreamMath.sol";
import {Treasury} from "./Treasury.sol";

/// @title Leases as stored, and what is due of them
/// @dev Of a lease's money (deposit + bond) the provider is due: stream - downtimeRefund, and bond - forfeited; the renter:
/// deposit - stream + downtimeRefund + forfeited. The four always sum to deposit + bond.
abstract contract LeaseBook is Treasury {
    /// @dev Lease as stored. Its status and, until a side ends it, its stop follow from the rest, so that starting and topping up
    /// write one slot less.
    struct Row {
        address renter; // slot 0
        bool cancelled;
        uint16 tokenIndex;
        uint32 maxDuration;
        uint40 device; // its number in the registry
        address provider; // slot 1
        uint16 feeBps;
        uint32 minDuration;
        uint40 openedAt;
        uint128 rate; // slot 2
        uint128 deposit;
        uint128 bond; // slot 3, from start on
        uint40 start;
        uint40 stop; // with endedAt, when a side ends it
        uint40 endedAt;
        uint128 claimed; // slot 4
        uint128 refunded;
        uint128 downtimeRefund; // slot 5
        uint64 nextEpoch;
        uint40 downtime;
        uint128 forfeited; // slot 6
        uint128 bondReturned;
    }

    IDeviceRegistry public immutable deviceRegistry;
    uint40 public immutable holdback;

    uint64 private opened; // in one slot with Treasury's feeBps
    mapping(uint256 leaseId => Row) internal leases;
    mapping(uint256 device => uint256) internal latestLease;

    constructor(IDeviceRegistry deviceRegistry_, uint40 holdback_) {
        deviceRegistry = deviceRegistry_;
        holdback = holdback_;
    }

    /// @inheritdoc IFormerEscrow
    function leaseCount() external view returns (uint256) {
        return opened;
    }

    /// @inheritdoc IFormerEscrow
    function lease(uint256 leaseId) external view returns (Lease memory v) {
        Row storage l = leases[leaseId];
        v.renter = l.renter;
        v.provider = l.provider;
        (v.deviceId, ) = deviceRegistry.deviceNumbered(l.device);
        v.token = _tokenAt(l.tokenIndex);
        v.status = _statusOf(l);
        v.rate = l.rate;
        v.openedAt = l.openedAt;
        v.start = l.start;
        v.stop = _stopOf(l);
        v.endedAt = l.endedAt;
        v.minDuration = l.minDuration;
        v.maxDuration = l.maxDuration;
        v.deposit = l.deposit;
        v.bond = l.bond;
        v.claimed = l.claimed;
        v.refunded = l.refunded;
        v.downtimeRefund = l.downtimeRefund;
        v.forfeited = l.forfeited;
        v.bondReturned = l.bondReturned;
        v.downtime = l.downtime;
        v.nextEpoch = l.nextEpoch;
        v.feeBps = l.feeBps;
    }

    /// @inheritdoc IFormerEscrow
    function streamed(uint256 leaseId) external view returns (uint256) {
        return _streamedAt(leases[leaseId], block.timestamp);
    }

    /// @inheritdoc IFormerEscrow
    function claimable(uint256 leaseId) external view returns (uint256) {
        return _claimable(leases[leaseId]);
    }

    /// @inheritdoc IFormerEscrow
    function refundable(uint256 leaseId) external view returns (uint256) {
        return _refundable(leases[leaseId]);
    }

    /// @inheritdoc IFormerEscrow
    function bondFor(uint256 leaseId) external view returns (uint256) {
        return StreamMath.cost(leases[leaseId].rate, leases[leaseId].minDuration);
    }

    /// @inheritdoc IFormerEscrow
    function bondReturnable(uint256 leaseId) external view returns (uint256) {
        Row storage l = leases[leaseId];
        return block.timestamp < _bondHeldUntil(l) ? 0 : _bondLeft(l);
    }

    /// @inheritdoc IFormerEscrow
    function activeLease(bytes32 deviceId) external view returns (uint256 leaseId) {
        (, uint40 device) = deviceRegistry.offered(deviceId);
        return _liveLease(device);
    }

    /// @dev Number 0 is no device, and has no lease.
    function _liveLease(uint40 device) internal view returns (uint256 leaseId) {
        leaseId = latestLease[device];
        if (leaseId == 0) return 0;
        Row storage l = leases[leaseId];
        if (l.endedAt != 0 || block.timestamp >= _stopOf(l)) return 0;
    }

    function _statusOf(Row storage l) internal view returns (Status) {
        if (l.renter == address(0)) return Status.None;
        if (l.cancelled) return Status.Cancelled;
        if (l.start == 0) return Status.Pending;
        return l.endedAt == 0 ? Status.Active : Status.Ended;
    }

    /// @dev When the stream ends: with the deposit or the term, unless a side has ended it before. Zero for one not started.
    function _stopOf(Row storage l) internal view returns (uint40) {
        if (l.endedAt != 0) return l.stop;
        return l.start == 0 ? 0 : l.start + StreamMath.term(l.rate, l.deposit, l.maxDuration);
    }

    function _nextLease() internal returns (uint256 leaseId, Row storage l) {
        leaseId = ++opened;
        l = leases[leaseId];
    }

    function _streamedAt(Row storage l, uint256 time) internal view returns (uint256) {
        uint256 stop = _stopOf(l);
        uint256 until = time < stop ? time : stop;
        uint256 from = l.start;
        return until <= from || from == 0 ? 0 : StreamMath.streamed(l.rate, until - from);
    }

    function _claimable(Row storage l) internal view returns (uint256) {
        uint256 earned = _streamedAt(l, block.timestamp > holdback ? block.timestamp - holdback : 0);
        uint256 taken = uint256(l.claimed) + l.downtimeRefund;
        return earned > taken ? earned - taken : 0;
    }

    function _refundable(Row storage l) internal view returns (uint256) {
        if (l.cancelled) return l.deposit - l.refunded;
        uint256 due = uint256(l.downtimeRefund) + l.forfeited;
        uint256 stop = _stopOf(l);
        if (l.endedAt != 0 || (stop != 0 && block.timestamp >= stop)) due += l.deposit - _streamedAt(l, stop);
        return due - l.refunded;
    }

    function _bondLeft(Row storage l) internal view returns (uint256) {
        return uint256(l.bond) - l.forfeited - l.bondReturned;
    }

    /// @dev Until no downtime of the lease can be attested any more.
    function _bondHeldUntil(Row storage l) internal view returns (uint256) {
        return uint256(_stopOf(l)) + holdback;
    }

    function _inStatus(uint256 leaseId, Status expected) internal view returns (Row storage l) {
        l = leases[leaseId];
        Status status = _statusOf(l);
        if (status == Status.None) revert LeaseEscrow_UnknownLease(leaseId);
        if (status != expected) revert LeaseEscrow_WrongStatus(leaseId, status);
    }

    function _renterLease(uint256 leaseId, Status expected) internal view returns (Row storage l) {
        l = _inStatus(leaseId, expected);
        if (msg.sender != l.renter) revert LeaseEscrow_NotParty(leaseId, msg.sender);
    }

    function _due(uint256 leaseId, address receiver) internal view returns (Row storage l) {
        l = leases[leaseId];
        if (l.renter == address(0)) revert LeaseEscrow_UnknownLease(leaseId);
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
    }
}
