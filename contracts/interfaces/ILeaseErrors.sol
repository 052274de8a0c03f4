// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Why LeaseEscrow refuses, but for what is about tokens (ITreasury)
/// @notice Each error carries what was wrong.
interface ILeaseErrors {
    /// @notice No lease has this number.
    /// @param leaseId the number
    error LeaseEscrow_UnknownLease(uint256 leaseId);

    /// @notice The caller is no side of the lease that may do this, nor an operator that may.
    /// @param leaseId the lease
    /// @param caller who called
    error LeaseEscrow_NotParty(uint256 leaseId, address caller);

    /// @notice The signature is not of the one who had to sign.
    /// @param expected who had to
    error LeaseEscrow_BadSignature(address expected);

    /// @notice The offer is no longer valid.
    /// @param validUntil the last second in which it was
    /// @param timestamp now
    error LeaseEscrow_OfferExpired(uint256 validUntil, uint256 timestamp);

    /// @notice The offer was cancelled.
    /// @param deviceId the device whose floor cancelled it
    /// @param nonce the offer's
    /// @param floor the least that counts
    error LeaseEscrow_OfferCancelled(bytes32 deviceId, uint256 nonce, uint256 floor);

    /// @notice The offer is for another renter.
    /// @param renter for whom it is
    /// @param caller who called
    error LeaseEscrow_NotForRenter(address renter, address caller);

    /// @notice The operator is not appointed for this, or no longer.
    /// @param provider whose operator it would be
    /// @param operator the account
    /// @param scopes what it had to be appointed for (OperatorScopes)
    error LeaseEscrow_OperatorNotAllowed(address provider, address operator, uint8 scopes);

    /// @notice The offer handed in is not the one that the lease was opened on.
    /// @param leaseId the lease
    /// @param offerHash struct hash of what was handed in
    error LeaseEscrow_OtherOffer(uint256 leaseId, bytes32 offerHash);

    /// @notice The caller is neither the device's provider nor an operator that makes offers for it.
    /// @param deviceId the device
    /// @param caller who called
    error LeaseEscrow_NotProvider(bytes32 deviceId, address caller);

    /// @notice There must be one leaf for each device, and one proof for each leaf.
    /// @param devices how many devices, or proofs
    /// @param leaves how many leaves
    error LeaseEscrow_LeafCount(uint256 devices, uint256 leaves);

    /// @notice The leaf is not of this device, or not in the report of its epoch.
    /// @param deviceId the device
    /// @param epoch the epoch
    error LeaseEscrow_DeviceNotInReport(bytes32 deviceId, uint256 epoch);

    /// @notice The devices were not measured in one epoch.
    /// @param deviceId the device of the first leaf that differs
    /// @param epoch its epoch
    /// @param expected the epoch of the first leaf
    error LeaseEscrow_OtherEpoch(bytes32 deviceId, uint256 epoch, uint256 expected);

    /// @notice The device did not simply pass.
    /// @param deviceId the device
    /// @param flags what the report says of it
    error LeaseEscrow_DeviceNotPassed(bytes32 deviceId, uint256 flags);

    /// @notice The report is too old to lease on.
    /// @param epoch of the report
    /// @param until when it counted
    /// @param timestamp now
    error LeaseEscrow_ReportTooOld(uint256 epoch, uint256 until, uint256 timestamp);

    /// @notice The device is slower than asked for.
    /// @param deviceId the device
    /// @param score what it did
    /// @param minScore what was asked for
    error LeaseEscrow_ScoreTooLow(bytes32 deviceId, uint256 score, uint256 minScore);

    /// @notice The device has shown less memory than asked for.
    /// @param deviceId the device
    /// @param memoryMiB what it has shown
    /// @param minMemoryMiB what was asked for
    error LeaseEscrow_MemoryTooSmall(bytes32 deviceId, uint256 memoryMiB, uint256 minMemoryMiB);

    /// @notice The deposit does not pay for the least duration, or for a minute.
    /// @param deposit what was given
    /// @param needed the least
    error LeaseEscrow_DepositTooSmall(uint256 deposit, uint256 needed);

    /// @notice The deposit pays for more than the longest duration.
    /// @param deposit what there would be
    /// @param allowed the most
    error LeaseEscrow_DepositTooLarge(uint256 deposit, uint256 allowed);

    /// @notice The device is leased.
    /// @param deviceId the device
    /// @param leaseId its lease
    error LeaseEscrow_DeviceLeased(bytes32 deviceId, uint256 leaseId);

    /// @notice The renter's signature for the start is no longer valid.
    /// @param validUntil the last second in which it was
    /// @param timestamp now
    error LeaseEscrow_StartExpired(uint256 validUntil, uint256 timestamp);

    /// @notice Durations out of order, zero, or of 2^32 seconds and more.
    /// @param minDuration the least
    /// @param maxDuration the longest
    error LeaseEscrow_BadDurations(uint256 minDuration, uint256 maxDuration);

    /// @notice A notice is zero or at least this long.
    /// @param notice the offer's, in seconds
    /// @param least the least
    error LeaseEscrow_BadNotice(uint256 notice, uint256 least);

    /// @notice A rate of zero.
    error LeaseEscrow_ZeroRate();

    /// @notice The lease's offer has no notice.
    /// @param leaseId the lease
    error LeaseEscrow_NoNotice(uint256 leaseId);

    /// @notice Notice was given before.
    /// @param leaseId the lease
    /// @param noticeAt when
    error LeaseEscrow_NoticeAlreadyGiven(uint256 leaseId, uint256 noticeAt);

    /// @notice The renter has left early: nothing to add, nor to end; a provider releases such a lease.
    /// @param leaseId the lease
    error LeaseEscrow_LeftEarly(uint256 leaseId);

    /// @notice Only a lease whose renter has left early can be released.
    /// @param leaseId the lease
    error LeaseEscrow_NotLeftEarly(uint256 leaseId);

    /// @notice An operator ends no lease while that forfeits a part of the bond.
    /// @param leaseId the lease
    /// @param amount what would be forfeited
    error LeaseEscrow_WouldForfeit(uint256 leaseId, uint256 amount);

    /// @notice What an operator claims goes to the provider's payout address.
    /// @param receiver the receiver named
    /// @param payout the provider's
    error LeaseEscrow_NotPayout(address receiver, address payout);

    /// @notice Nothing is due of the lease, or nothing yet.
    /// @param leaseId the lease
    error LeaseEscrow_NothingDue(uint256 leaseId);

    /// @notice The caller is neither the renter nor named by it for refunds of downtime.
    /// @param leaseId the lease
    /// @param caller who called
    error LeaseEscrow_NotRefunder(uint256 leaseId, address caller);

    /// @notice The device is none of the lease's.
    /// @param leaseId the lease
    /// @param deviceId the device
    error LeaseEscrow_DeviceNotOfLease(uint256 leaseId, bytes32 deviceId);

    /// @notice Epoch and lease have no second in common.
    /// @param epoch the epoch
    /// @param start of the lease
    /// @param stop of the lease
    error LeaseEscrow_EpochOutsideLease(uint256 epoch, uint256 start, uint256 stop);

    /// @notice What epoch and lease have in common is not over.
    /// @param epoch the epoch
    /// @param overAt when it is
    /// @param timestamp now
    error LeaseEscrow_EpochNotOver(uint256 epoch, uint256 overAt, uint256 timestamp);

    /// @notice Downtime of this epoch was credited before.
    /// @param epoch the epoch
    error LeaseEscrow_EpochAlreadyRefunded(uint256 epoch);

    /// @notice The epoch's money may have been claimed.
    /// @param epoch the epoch
    /// @param closedAt the last second for a refund
    /// @param timestamp now
    error LeaseEscrow_DowntimeTooOld(uint256 epoch, uint256 closedAt, uint256 timestamp);

    /// @notice The report says that the device was up.
    /// @param epoch the epoch
    /// @param uptimeBps what it says
    error LeaseEscrow_NoDowntime(uint256 epoch, uint256 uptimeBps);

    /// @notice The bond is held while downtime of the lease can still be attested, and what of it is forfeited to the network for
    /// as long again as governance may forgive that.
    /// @param leaseId the lease
    /// @param until from when on it can be paid
    /// @param timestamp now
    error LeaseEscrow_BondHeld(uint256 leaseId, uint256 until, uint256 timestamp);

    /// @notice The forfeit was settled or forgiven before.
    /// @param leaseId the lease
    error LeaseEscrow_ForfeitClosed(uint256 leaseId);

    /// @notice A floor of nonces only rises.
    /// @param asked the floor asked for
    /// @param floor the present one
    error LeaseEscrow_FloorNotRaised(uint256 asked, uint256 floor);

    /// @notice Only DeviceRegistry reports a slashed device.
    /// @param caller who called
    error LeaseEscrow_NotRegistry(address caller);
}
