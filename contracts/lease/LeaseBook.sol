// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {StreamMath} from "../libraries/StreamMath.sol";
import {Treasury} from "./Treasury.sol";

/// @title Leases as stored, and what is due of them
/// @dev Of a lease's money (deposit + bond) the provider is due: stream - downtimeRefund, and bond - forfeited; the renter:
/// deposit - stream + downtimeRefund + forfeited. The four always sum to deposit + bond.
abstract contract LeaseBook is Treasury {
    /// @dev Lease as stored.
    struct Row {
        address renter; // slot 0
        Status status;
        uint40 openedAt;
        uint40 start;
        address provider; // slot 1
        uint16 tokenIndex;
        uint16 feeBps;
        uint32 minDuration;
        uint32 maxDuration;
        bytes32 deviceId; // slot 2
        uint128 rate; // slot 3
        uint128 deposit;
        uint128 bond; // slot 4, from start on
        uint40 stop;
        uint40 endedAt;
        uint40 downtime;
        uint128 claimed; // slot 5
        uint128 refunded;
        uint128 downtimeRefund; // slot 6
        uint64 nextEpoch;
        uint128 forfeited; // slot 7
        uint128 bondReturned;
    }

    uint40 public immutable holdback;

    uint256 public leaseCount;
    mapping(uint256 leaseId => Row) internal leases;
    mapping(bytes32 deviceId => uint256) internal latestLease;

    constructor(uint40 holdback_) {
        holdback = holdback_;
    }

    /// @inheritdoc ILeaseEscrow
    function lease(uint256 leaseId) external view returns (Lease memory v) {
        Row storage l = leases[leaseId];
        v.renter = l.renter;
        v.provider = l.provider;
        v.deviceId = l.deviceId;
        v.token = _tokenAt(l.tokenIndex);
        v.status = l.status;
        v.rate = l.rate;
        v.openedAt = l.openedAt;
        v.start = l.start;
        v.stop = l.stop;
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

    /// @inheritdoc ILeaseEscrow
    function streamed(uint256 leaseId) external view returns (uint256) {
        return _streamedAt(leases[leaseId], block.timestamp);
    }

    /// @inheritdoc ILeaseEscrow
    function claimable(uint256 leaseId) external view returns (uint256) {
        return _claimable(leases[leaseId]);
    }

    /// @inheritdoc ILeaseEscrow
    function refundable(uint256 leaseId) external view returns (uint256) {
        return _refundable(leases[leaseId]);
    }

    /// @inheritdoc ILeaseEscrow
    function bondFor(uint256 leaseId) external view returns (uint256) {
        return StreamMath.cost(leases[leaseId].rate, leases[leaseId].minDuration);
    }

    /// @inheritdoc ILeaseEscrow
    function bondReturnable(uint256 leaseId) external view returns (uint256) {
        Row storage l = leases[leaseId];
        return block.timestamp < _bondHeldUntil(l) ? 0 : _bondLeft(l);
    }

    /// @inheritdoc ILeaseEscrow
    function activeLease(bytes32 deviceId) public view returns (uint256 leaseId) {
        leaseId = latestLease[deviceId];
        Row storage l = leases[leaseId];
        if (l.status != Status.Active || block.timestamp >= l.stop) return 0;
    }

    function _streamedAt(Row storage l, uint256 time) internal view returns (uint256) {
        uint256 until = time < l.stop ? time : l.stop;
        uint256 from = l.start;
        return until <= from || from == 0 ? 0 : StreamMath.streamed(l.rate, until - from);
    }

    function _claimable(Row storage l) internal view returns (uint256) {
        uint256 earned = _streamedAt(l, block.timestamp > holdback ? block.timestamp - holdback : 0);
        uint256 taken = uint256(l.claimed) + l.downtimeRefund;
        return earned > taken ? earned - taken : 0;
    }

    function _refundable(Row storage l) internal view returns (uint256) {
        if (l.status == Status.Cancelled) return l.deposit - l.refunded;
        uint256 due = uint256(l.downtimeRefund) + l.forfeited;
        bool over = l.status == Status.Ended || (l.status == Status.Active && block.timestamp >= l.stop);
        if (over) due += l.deposit - _streamedAt(l, l.stop);
        return due - l.refunded;
    }

    function _bondLeft(Row storage l) internal view returns (uint256) {
        return uint256(l.bond) - l.forfeited - l.bondReturned;
    }

    /// @dev Until no downtime of the lease can be attested any more.
    function _bondHeldUntil(Row storage l) internal view returns (uint256) {
        return uint256(l.stop) + holdback;
    }

    function _inStatus(uint256 leaseId, Status expected) internal view returns (Row storage l) {
        l = leases[leaseId];
        if (l.status == Status.None) revert LeaseEscrow_UnknownLease(leaseId);
        if (l.status != expected) revert LeaseEscrow_WrongStatus(leaseId, l.status);
    }

    function _renterLease(uint256 leaseId, Status expected) internal view returns (Row storage l) {
        l = _inStatus(leaseId, expected);
        if (msg.sender != l.renter) revert LeaseEscrow_NotParty(leaseId, msg.sender);
    }

    function _due(uint256 leaseId, address receiver) internal view returns (Row storage l) {
        l = leases[leaseId];
        if (l.status == Status.None) revert LeaseEscrow_UnknownLease(leaseId);
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
    }
}
