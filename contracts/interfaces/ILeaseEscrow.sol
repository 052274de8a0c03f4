// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "./IEpochOracle.sol";
import {ILeaseErrors} from "./ILeaseErrors.sol";
import {ITreasury} from "./ITreasury.sol";

/// @title Leases: money held, streamed by the second, paid out by pull
/// @notice Offers are signed, not stored, and are for one to sixteen devices of one provider, leased together or not at all.
/// A pending lease holds the renter's money, not the devices; it becomes active when the provider or its operator brings the
/// renter's signature that the handover proofs convinced.
/// @dev Of a lease's money (deposit + bond) the provider is due: stream - downtimeRefund, and bond - forfeited - forfeitable;
/// the renter: deposit - stream + downtimeRefund + forfeited; the network: forfeitable. They always sum to deposit + bond.
interface ILeaseEscrow is ITreasury, ILeaseErrors {
    /// @notice Where a lease stands. A lease is ended from its stop on, also one that nobody ended.
    enum Status {
        None,
        Pending,
        Active,
        Ended,
        Cancelled
    }

    /// @notice What a provider, or an operator of its, signs. EIP-712: `Offer(address provider,address operator,
    /// bytes32[] deviceIds,address token,uint128 rate,uint40 minDuration,uint40 maxDuration,uint40 validUntil,uint64 nonce,
    /// address renter,uint32 notice)`, without the spaces.
    /// @param provider whose devices they are
    /// @param operator who signs; zero: the provider
    /// @param deviceIds 1 to 16, strictly ascending
    /// @param token of stream and bond
    /// @param rate of all devices together: base units x 1e18 a second
    /// @param minDuration seconds; the bond is what they cost
    /// @param maxDuration seconds; at least minDuration, below 2^32
    /// @param validUntil last second in which a lease can be opened
    /// @param nonce not below the signer's floor of any of the devices
    /// @param renter zero: anyone; else a private quote
    /// @param notice seconds from giveNotice until the provider may end for nothing; zero: never, else at least 60
    struct Offer {
        address provider;
        address operator;
        bytes32[] deviceIds;
        address token;
        uint128 rate;
        uint40 minDuration;
        uint40 maxDuration;
        uint40 validUntil;
        uint64 nonce;
        address renter;
        uint32 notice;
    }

    /// @notice An ERC-2612 permit for the deposit, signed by a key (64 or 65 bytes) or for a contract wallet.
    /// @param deadline last second in which the token takes it
    /// @param signature 65 bytes of a key; or what the wallet's isValidSignature asks for
    struct Permit {
        uint256 deadline;
        bytes signature;
    }

    /// @notice Terms of the escrow, fixed at its deployment, the fee excepted.
    /// @param holdback seconds for which what streams cannot be claimed, so that downtime can be refunded out of it
    /// @param maxDowntime seconds of attested downtime after which the renter leaves free
    /// @param maxAge how many epochs back a passing report may lie for `open`
    /// @param feeBps fee of the first leases
    struct Terms {
        uint40 holdback;
        uint40 maxDowntime;
        uint32 maxAge;
        uint16 feeBps;
    }

    /// @notice A lease. Before `start` rate, start, stop, notice, devices and bond are zero: they are in the Offer, which is in
    /// the LeaseOpened event of the block `openedBlock`.
    /// @param renter who opened it
    /// @param provider whose devices they are
    /// @param offerHash first 27 bytes of the Offer's struct hash; zero once cancelled
    /// @param openedBlock zero once cancelled
    /// @param token of stream and bond
    /// @param status where it stands
    /// @param rate base units x 1e18 a second
    /// @param start when the stream began
    /// @param stop when the stream ends; moved by topUp, end and release
    /// @param minDuration seconds that are paid whatever happens
    /// @param maxDuration seconds it can be extended to
    /// @param notice seconds of notice
    /// @param noticeAt when notice was given; zero: it was not
    /// @param devices how many
    /// @param deposit all that the renter has paid in
    /// @param bond the provider's, in the lease's token
    /// @param claimed paid out of the stream, fee included
    /// @param refunded paid back to the renter
    /// @param downtimeRefund the renter's, out of the stream
    /// @param downtime seconds attested
    /// @param forfeited the renter's, out of the bond
    /// @param forfeitable the network's, out of the bond, as it stands now: final `holdback` after the stop
    /// @param bondReturned whether returnBond has paid
    /// @param feeBps fee on what is claimed, in ten thousandths
    /// @param leftEarly the renter has left before minDuration, and pays and is measured to `stop` all the same
    struct Lease {
        address renter;
        address provider;
        bytes27 offerHash;
        uint256 openedBlock;
        address token;
        Status status;
        uint256 rate;
        uint256 start;
        uint256 stop;
        uint256 minDuration;
        uint256 maxDuration;
        uint256 notice;
        uint256 noticeAt;
        uint256 devices;
        uint256 deposit;
        uint256 bond;
        uint256 claimed;
        uint256 refunded;
        uint256 downtimeRefund;
        uint256 downtime;
        uint256 forfeited;
        uint256 forfeitable;
        bool bondReturned;
        uint256 feeBps;
        bool leftEarly;
    }

    /// @notice A renter opened a lease and paid the deposit in.
    /// @param leaseId its number, from 1
    /// @param renter who opened it
    /// @param provider whose devices they are
    /// @param offerHash struct hash of the offer
    /// @param offer the offer in full
    /// @param deposit base units
    event LeaseOpened(
        uint256 indexed leaseId,
        address indexed renter,
        address indexed provider,
        bytes32 offerHash,
        Offer offer,
        uint96 deposit
    );

    /// @notice A pending lease was given up.
    /// @param leaseId the lease
    /// @param refund the whole deposit, now refundable
    event LeaseCancelled(uint256 indexed leaseId, uint256 refund);

    /// @notice The stream began and the devices are the renter's.
    /// @param leaseId the lease
    /// @param resultRoots root of the handover proof; of several devices the hash of all roots in their order
    /// @param start the second it began
    /// @param stop the second it ends, unless a side moves it
    /// @param bond what the provider put in
    event LeaseStarted(uint256 indexed leaseId, bytes32 resultRoots, uint40 start, uint40 stop, uint96 bond);

    /// @notice The renter added to the deposit.
    /// @param leaseId the lease
    /// @param amount what was added
    /// @param stop when the stream ends now
    event LeaseToppedUp(uint256 indexed leaseId, uint96 amount, uint40 stop);

    /// @notice The provider wants its devices back.
    /// @param leaseId the lease
    /// @param freeFrom from when on it may end the lease for nothing; the renter may from now on
    event NoticeGiven(uint256 indexed leaseId, uint40 freeFrom);

    /// @notice A side ended a lease. With a `stop` in the future the renter left early and pays until then.
    /// @param leaseId the lease
    /// @param by who ended it
    /// @param stop when the stream ends
    /// @param forfeited what the renter gets out of the bond
    event LeaseEnded(uint256 indexed leaseId, address indexed by, uint40 stop, uint96 forfeited);

    /// @notice The provider let a renter go who had left early.
    /// @param leaseId the lease
    /// @param stop when the stream ends: now
    event LeaseReleased(uint256 indexed leaseId, uint40 stop);

    /// @notice Streamed money was paid to the provider.
    /// @param leaseId the lease
    /// @param receiver where it went
    /// @param amount what it got
    /// @param fee what was kept
    event LeaseClaimed(uint256 indexed leaseId, address indexed receiver, uint256 amount, uint256 fee);

    /// @notice The renter was paid what it was due.
    /// @param leaseId the lease
    /// @param receiver where it went
    /// @param amount base units
    event LeaseRefunded(uint256 indexed leaseId, address indexed receiver, uint256 amount);

    /// @notice The bond, or what was left of it, was paid back.
    /// @param leaseId the lease
    /// @param receiver where it went
    /// @param amount base units
    event BondReturned(uint256 indexed leaseId, address indexed receiver, uint256 amount);

    /// @notice Attested downtime was credited to the renter.
    /// @param leaseId the lease
    /// @param epoch the epoch that attests it
    /// @param deviceId the device that was down
    /// @param amount base units
    /// @param downtime seconds attested so far
    event DowntimeRefunded(
        uint256 indexed leaseId,
        uint64 indexed epoch,
        bytes32 deviceId,
        uint256 amount,
        uint40 downtime
    );

    /// @notice A part of the bond is forfeited to the network, because of downtime or of a slashed device, as it stands now.
    /// @param leaseId the lease
    /// @param amount base units; it is final `holdback` after the stop
    event BondForfeited(uint256 indexed leaseId, uint256 amount);

    /// @notice A forfeit was held long enough and is among the fees.
    /// @param leaseId the lease
    /// @param amount base units
    event ForfeitSettled(uint256 indexed leaseId, uint256 amount);

    /// @notice Governance gave a forfeit back to the provider.
    /// @param leaseId the lease
    /// @param amount base units as it stands now
    event ForfeitForgiven(uint256 indexed leaseId, uint256 amount);

    /// @notice A device was slashed while it was leased.
    /// @param leaseId the lease, which the renter may end now for nothing
    /// @param deviceId the device
    event DeviceOfLeaseSlashed(uint256 indexed leaseId, bytes32 indexed deviceId);

    /// @notice A renter named an account that may submit the downtime of its leases, or took that back.
    /// @param renter whose leases
    /// @param agent the account
    /// @param may whether it may
    event RefunderNamed(address indexed renter, address indexed agent, bool may);

    /// @notice Offers for a device were cancelled.
    /// @param deviceId the device
    /// @param signer who signed them
    /// @param nonceFloor the least nonce that counts from now on
    event OffersCancelled(bytes32 indexed deviceId, address indexed signer, uint64 nonceFloor);

    /// @notice The lease is in another state than the call asks for.
    /// @param leaseId the lease
    /// @param status the state it is in
    error LeaseEscrow_WrongStatus(uint256 leaseId, Status status);

    /// @notice Opens a lease on a signed offer, with proof that every device of it passed in one recent epoch: flags exactly 1.
    /// The deposit, at least rate x max(minDuration, one minute), is taken from the caller, who becomes the renter.
    /// @param offer the offer
    /// @param signature of the offer, by its operator or, where that is zero, its provider
    /// @param deposit base units of the offer's token
    /// @param leaves what the report says of each device, in the order of the offer
    /// @param proofs that the leaves are in the report
    /// @param minScore least giga-operations a second of every device
    /// @param minMemoryMiB least memory shown by every device
    /// @return leaseId the next number, from 1
    function open(
        Offer calldata offer,
        bytes calldata signature,
        uint96 deposit,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs,
        uint64 minScore,
        uint32 minMemoryMiB
    ) external returns (uint256 leaseId);

    /// @notice As `open`, with a permit for the deposit. One spent by somebody else first does no harm.
    /// @param offer the offer
    /// @param signature of the offer, by its operator or, where that is zero, its provider
    /// @param deposit base units of the offer's token
    /// @param leaves what the report says of each device, in the order of the offer
    /// @param proofs that the leaves are in the report
    /// @param minScore least giga-operations a second of every device
    /// @param minMemoryMiB least memory shown by every device
    /// @param permit the caller's permit for exactly the deposit
    /// @return leaseId the next number, from 1
    function openWithPermit(
        Offer calldata offer,
        bytes calldata signature,
        uint96 deposit,
        IEpochOracle.DeviceLeaf[] calldata leaves,
        bytes32[][] calldata proofs,
        uint64 minScore,
        uint32 minMemoryMiB,
        Permit calldata permit
    ) external returns (uint256 leaseId);

    /// @notice Gives a pending lease up; all of the deposit is refundable at once. Renter only.
    /// @param leaseId the lease
    function cancel(uint256 leaseId) external;

    /// @notice Starts the stream and takes all devices of the offer. By the provider, who pays the bond, or by an operator with
    /// START, for whom it comes out of the provider's credit. Offer and signing operator must still be good but for validUntil
    /// and nonce. A lease of one of the devices whose renter has left early is released.
    /// @param leaseId the lease
    /// @param offer the offer that it was opened on
    /// @param resultRoots root of the handover proof; of several devices the hash of all roots in their order
    /// @param validUntil last second in which the renter's signature counts
    /// @param signature the renter's over `LeaseStart(leaseId, offerHash, resultRoots, validUntil)`
    function start(
        uint256 leaseId,
        Offer calldata offer,
        bytes32 resultRoots,
        uint40 validUntil,
        bytes calldata signature
    ) external;

    /// @notice Adds to the deposit and moves `stop`. Renter only, before the stream has stopped, and not after leaving early.
    /// @param leaseId the lease
    /// @param amount base units
    function topUp(uint256 leaseId, uint96 amount) external;

    /// @notice Ends an active lease, at once but for a renter who is bound: it pays to minDuration and the lease stays measured
    /// and refundable until then. The renter is not bound once maxDowntime is passed, a device was slashed or notice was given,
    /// and may then end again. The provider who ends before minDuration forfeits the unserved part of the bond to the renter,
    /// but after a notice that has run out; an operator with END can end only where nothing is forfeited.
    /// @param leaseId the lease
    function end(uint256 leaseId) external;

    /// @notice Gives notice, once, of a lease whose offer has one. Provider, or operator with END.
    /// @param leaseId the lease
    function giveNotice(uint256 leaseId) external;

    /// @notice Ends the stream of a lease whose renter has left early. Nothing is forfeited by it. Provider, or operator with END.
    /// @param leaseId the lease
    function release(uint256 leaseId) external;

    /// @notice Pays the provider what has streamed up to now - holdback, less the fee. Provider, or operator with CLAIM.
    /// @param leaseId the lease
    /// @param receiver where it goes; of an operator's claim the provider's payout address
    /// @return amount base units paid
    function claim(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Pays the renter what it is due: a cancelled deposit, the unstreamed rest of an ended lease, a forfeited bond,
    /// downtime. Renter only.
    /// @param leaseId the lease
    /// @param receiver where it goes
    /// @return amount base units paid
    function refund(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Pays the bond back, less all forfeits, once holdback has passed since the stop; and a forfeit that was forgiven.
    /// Provider, or operator with CLAIM.
    /// @param leaseId the lease
    /// @param receiver where it goes; of an operator's call the provider's payout address
    /// @return amount base units paid
    function returnBond(uint256 leaseId, address receiver) external returns (uint256 amount);

    /// @notice Credits the renter for downtime of one device in what an epoch has in common with the lease. Each epoch once, in
    /// any order: of several devices the worst one's leaf is to be given. Renter, or whom it has named.
    /// @param leaseId the lease
    /// @param offer the offer that it was opened on
    /// @param leaf what the report says of the device
    /// @param proof that the leaf is in the report
    function refundDowntime(
        uint256 leaseId,
        Offer calldata offer,
        IEpochOracle.DeviceLeaf calldata leaf,
        bytes32[] calldata proof
    ) external;

    /// @notice Names who besides the caller may submit the downtime of leases of which it is the renter.
    /// @param agent the account
    /// @param may whether it may
    function nameRefunder(address agent, bool may) external;

    /// @notice Sets the renter of a slashed device free and forfeits the device's share of the unserved bond to the network.
    /// Does nothing for a device that is not leased. Callable by DeviceRegistry.
    /// @param deviceId the device
    function deviceSlashed(bytes32 deviceId) external;

    /// @notice Puts what is forfeited to the network among the fees, once nothing can change it any more. Anyone.
    /// @param leaseId the lease
    function settleForfeit(uint256 leaseId) external;

    /// @notice Leaves to the provider what was, or will be, forfeited to the network. Governance only, before it is settled.
    /// @param leaseId the lease
    function forgiveForfeit(uint256 leaseId) external;

    /// @notice Cancels offers for a device that the caller signed, with a nonce below the floor: those of several devices too. By
    /// the provider or an operator with OFFER.
    /// @param deviceId the device
    /// @param floor the least nonce that counts from now on
    function cancelOffers(bytes32 deviceId, uint64 floor) external;

    /// @notice As `cancelOffers`, for what somebody else signed. Provider only.
    /// @param deviceId the device
    /// @param signer who signed
    /// @param floor the least nonce that counts from now on
    function cancelOffersOf(bytes32 deviceId, address signer, uint64 floor) external;

    /// @notice The zero lease for an unknown number.
    /// @param leaseId the lease
    /// @return the lease as it stands now
    function lease(uint256 leaseId) external view returns (Lease memory);

    /// @notice EIP-712 struct hash of an offer.
    /// @param offer the offer
    /// @return the hash
    function offerHash(Offer calldata offer) external view returns (bytes32);

    /// @notice Base units streamed so far: rate x (min(now, stop) - start), rounded down.
    /// @param leaseId the lease
    /// @return base units
    function streamed(uint256 leaseId) external view returns (uint256);

    /// @notice What `claim` would take out of the stream now, fee included.
    /// @param leaseId the lease
    /// @return base units
    function claimable(uint256 leaseId) external view returns (uint256);

    /// @notice What `refund` would pay now.
    /// @param leaseId the lease
    /// @return base units
    function refundable(uint256 leaseId) external view returns (uint256);

    /// @notice What `returnBond` would pay now.
    /// @param leaseId the lease
    /// @return base units
    function bondReturnable(uint256 leaseId) external view returns (uint256);

    /// @notice What of the bond is forfeited to the network as it stands now, and neither settled nor forgiven.
    /// @param leaseId the lease
    /// @return base units
    function forfeitable(uint256 leaseId) external view returns (uint256);

    /// @notice The active lease of a device, one whose renter has left early included; or zero.
    /// @param deviceId the device
    /// @return leaseId the lease
    function activeLease(bytes32 deviceId) external view returns (uint256 leaseId);

    /// @notice How many leases were ever opened; the number of the latest.
    /// @return how many
    function leaseCount() external view returns (uint256);

    /// @notice Least nonce that counts of a signer's offers for a device.
    /// @param deviceId the device
    /// @param signer provider or operator
    /// @return the nonce
    function nonceFloor(bytes32 deviceId, address signer) external view returns (uint64);

    /// @notice Whether a renter has named an account for refunds of downtime.
    /// @param renter the renter
    /// @param agent the account
    /// @return whether it has
    function isRefunder(address renter, address agent) external view returns (bool);

    /// @notice Seconds for which what has streamed cannot be claimed.
    /// @return seconds
    function holdback() external view returns (uint40);

    /// @notice How many epochs back a passing report may lie for `open`.
    /// @return epochs
    function maxAge() external view returns (uint32);

    /// @notice Seconds of attested downtime after which the renter leaves free.
    /// @return seconds
    function maxDowntime() external view returns (uint40);

    /// @notice Seconds for which a forfeit is held, from when it is final, before it is settled.
    /// @return seconds
    function forfeitHold() external view returns (uint40);
}
