// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "./IEpochOracle.sol";

/// @title Leases: money held, streamed by the second, paid out by pull
/// @notice Offers are signed, not stored. A pending lease holds the renter's money, not the device; it becomes active
/// when the provider brings the renter's signature that the handover proof convinced.
interface IFormerEscrow {
    enum Status {
        None,
        Pending,
        Active,
        Ended,
        Cancelled
    }

    /// @dev `rate` in base units of the token x 1e18 a second. `renter` zero: anyone; else a private quote.
    struct Offer {
        address provider;
        bytes32 deviceId;
        address token;
        uint128 rate;
        uint40 minDuration;
        uint40 maxDuration;
        uint40 validUntil;
        uint64 nonce;
        address renter;
    }

    struct Permit {
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    struct Lease {
        address renter;
        address provider;
        bytes32 deviceId;
        address token;
        Status status;
        uint128 rate;
        uint40 openedAt;
        uint40 start;
        uint40 stop; // when the stream ends; moved by topUp and end
        uint40 endedAt; // when a side ended it, 0 otherwise
        uint40 minDuration;
        uint40 maxDuration;
        uint128 deposit; // all that the renter has paid in
        uint128 bond; // provider's, in the lease's token
        uint128 claimed; // paid out of the stream, fee included
        uint128 refunded; // paid back to the renter
        uint128 downtimeRefund; // the renter's, out of the stream
        uint128 forfeited; // the renter's, out of the bond
        uint128 bondReturned; // paid back to the provider
        uint40 downtime; // seconds attested
        uint64 nextEpoch; // the first whose downtime may still be refunded
        uint16 feeBps;
    }

    event LeaseOpened(
        uint256 indexed leaseId,
        address indexed renter,
        address indexed provider,
        bytes32 deviceId,
        address token,
        uint128 rate,
        uint128 deposit
    );
    event LeaseCancelled(uint256 indexed leaseId, uint256 refund);
    event LeaseStarted(uint256 indexed leaseId, bytes32 resultRoot, uint40 start, uint40 stop, uint128 bond);
    event LeaseToppedUp(uint256 indexed leaseId, uint128 amount, uint40 stop);
    event LeaseEnded(uint256 indexed leaseId, address indexed by, uint40 stop, uint256 forfeitedBond);
    event LeaseClaimed(uint256 indexed leaseId, address indexed receiver, uint256 amount, uint256 fee);
    event LeaseRefunded(uint256 indexed leaseId, address indexed receiver, uint256 amount);
    event BondReturned(uint256 indexed leaseId, address indexed receiver, uint256 amount);
    event DowntimeRefunded(uint256 indexed leaseId, uint64 indexed epoch, uint256 amount);
    event BondForfeited(uint256 indexed leaseId, uint256 amount);
    event TokenListed(address indexed token, uint128 feeFloor);
    event TokenDelisted(address indexed token);
    event FeeSet(uint16 feeBps);
    event FeesCollected(address indexed token, address indexed receiver, uint256 amount);
    event SurplusRecovered(address indexed token, address indexed receiver, uint256 amount);
    event OffersCancelled(bytes32 indexed deviceId, uint64 nonceFloor);

    error LeaseEscrow_UnknownLease(uint256 leaseId);
    error LeaseEscrow_WrongStatus(uint256 leaseId, Status status);
    error LeaseEscrow_NotParty(uint256 leaseId, address caller);
    error LeaseEscrow_BadSignature(address expected);
    error LeaseEscrow_OfferExpired(uint40 validUntil, uint256 timestamp);
    error LeaseEscrow_OfferCancelled(uint64 nonce, uint64 floor);
    error LeaseEscrow_NotForRenter(address renter, address caller);
    error LeaseEscrow_NotProvider(bytes32 deviceId, address provider);
    error LeaseEscrow_DeviceNotActive(bytes32 deviceId);
    error LeaseEscrow_DeviceNotInReport(bytes32 deviceId, uint64 epoch);
    error LeaseEscrow_DeviceNotPassed(bytes32 deviceId, uint16 flags);
    error LeaseEscrow_ReportTooOld(uint64 epoch, uint64 oldest);
    error LeaseEscrow_ScoreTooLow(uint64 score, uint64 minScore);
    error LeaseEscrow_DepositTooSmall(uint256 deposit, uint256 needed);
    error LeaseEscrow_DepositTooLarge(uint256 deposit, uint256 allowed);
    error LeaseEscrow_TokenNotAllowed(address token);
    error LeaseEscrow_TokenShort(address token, uint256 balanceBefore, uint256 balanceAfter, uint256 expected);
    error LeaseEscrow_DeviceLeased(bytes32 deviceId, uint256 leaseId);
    error LeaseEscrow_StartExpired(uint40 validUntil, uint256 timestamp);
    error LeaseEscrow_Stopped(uint256 leaseId, uint40 stop);
    error LeaseEscrow_BadDurations(uint40 minDuration, uint40 maxDuration);
    error LeaseEscrow_ZeroReceiver();
    error LeaseEscrow_NothingDue(uint256 leaseId);
    error LeaseEscrow_ZeroRate();
    error LeaseEscrow_EpochOutsideLease(uint64 epoch, uint256 from, uint256 to);
    error LeaseEscrow_EpochOutOfOrder(uint64 epoch, uint64 next);
    error LeaseEscrow_DowntimeTooOld(uint64 epoch, uint256 closedAt, uint256 timestamp);
    error LeaseEscrow_NotLeasedInReport(bytes32 deviceId, uint16 flags);
    error LeaseEscrow_NoDowntime(uint64 epoch, uint16 uptimeBps);
    error LeaseEscrow_BondHeld(uint256 leaseId, uint256 until, uint256 timestamp);
    error LeaseEscrow_FloorNotRaised(uint64 asked, uint64 floor);
    error LeaseEscrow_BadBound(string what, uint256 value, uint256 bound);
    error LeaseEscrow_AlreadyListed(address token);
    error LeaseEscrow_NoSurplus(address token);

    /// @notice Opens a lease on a provider's signed offer, with proof that the device passed in a recent epoch.
    /// The lease id is the next number from 1.
    function open(
        Offer calldata offer,
        bytes calldata signature,
        uint128 deposit,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore
    ) external returns (uint256 leaseId);

    /// @notice As `open`, with an ERC-2612 permit for the deposit. A permit spent by somebody else first does no harm.
    function openWithPermit(
        Offer calldata offer,
        bytes calldata signature,
        uint128 deposit,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof,
        uint64 minScore,
        Permit calldata permit
    ) external returns (uint256 leaseId);

    /// @notice Ends a pending lease and credits the renter with all of the deposit. Renter only.
    function cancel(uint256 leaseId) external;

    /// @notice Starts the stream. Provider only, with the renter's signature over
    /// `LeaseStart(leaseId, resultRoot, validUntil)`; takes the bond from the provider.
    function start(uint256 leaseId, bytes32 resultRoot, uint40 validUntil, bytes calldata signature) external;

    /// @notice Adds to the deposit and moves `stop`. Renter only, before the stream has stopped.
    function topUp(uint256 leaseId, uint128 amount) external;

    /// @notice Stops the stream now. Either side.
    function end(uint256 leaseId) external;

    /// @notice Pays the provider what has streamed up to now - holdback, less the fee. Provider only.
    function claim(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Pays the renter what is owed back: a cancelled deposit, the unstreamed rest of an ended lease, a
    /// forfeited bond, downtime. Renter only.
    function refund(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Pays the provider's bond, or what is left of it, after the end. Provider only.
    function returnBond(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Credits the renter for attested downtime in one full epoch of the lease. Epochs in order, each once.
    function refundDowntime(uint256 leaseId, IEpochOracle.DeviceLeaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice Cancels every offer for the device with a nonce below the floor. Provider only.
    function cancelOffers(bytes32 deviceId, uint64 nonceFloor) external;

    /// @notice The zero lease for an unknown id.
    function lease(uint256 leaseId) external view returns (Lease memory);

    /// @notice Base units streamed so far: rate x (min(now, stop) - start), rounded down.
    function streamed(uint256 leaseId) external view returns (uint256);

    function claimable(uint256 leaseId) external view returns (uint256);

    function refundable(uint256 leaseId) external view returns (uint256);

    /// @notice The active lease of a device, or 0.
    function activeLease(bytes32 deviceId) external view returns (uint256 leaseId);

    function leaseCount() external view returns (uint256);

    function nonceFloor(bytes32 deviceId) external view returns (uint64);

    function holdback() external view returns (uint40);

    /// @notice How many epochs back a passing report may lie for `open`.
    function maxAge() external view returns (uint32);

    /// @notice Seconds of attested downtime after which the renter leaves free and takes the bond.
    function maxDowntime() external view returns (uint40);

    /// @notice What the provider must bring to start: rate x minDuration, rounded up.
    function bondFor(uint256 leaseId) external view returns (uint256);

    /// @notice What returnBond would pay now.
    function bondReturnable(uint256 leaseId) external view returns (uint256);

    /// @notice Sum of everything held for somebody in this token.
    function owed(address token) external view returns (uint256);
}
