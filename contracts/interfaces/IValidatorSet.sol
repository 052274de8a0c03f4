// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Validator seats, one set per epoch
/// @notice Up to 31 seats. A set, once an epoch has used it, never changes and is kept through the proof window. Joins,
/// outbids, leaves and evictions wait in one queue, first in, first out: when an epoch is opened, those that are two epochs old
/// are made, at most max(1, f / 2) of the set as it was, however many epochs were skipped. Slashed seats leave at once.
interface IValidatorSet {
    /// @notice Where an account stands.
    /// @dev None: it holds no seat. Joining: its seat waits in the queue. Seated: it sits in the set. Leaving: it sits in the
    /// set, and its leaving waits in the queue. Unbacked: it sits in the set with nothing at stake, and leaves with the next epoch
    /// that is opened. Left: it sits no more, and its stake is held until nothing can be proven against it.
    enum Status {
        None,
        Joining,
        Seated,
        Leaving,
        Unbacked,
        Left
    }

    /// @notice A seat of a set.
    /// @param account Who holds it.
    /// @param signer Whose signatures count.
    struct Seat {
        address account;
        address signer;
    }

    /// @notice What is kept of an account's present seat.
    /// @param signer Key that signs for the seat; a signer serves one seat for ever.
    /// @param status Where the account stands.
    /// @param reserved Whether the stake is still reserved.
    /// @param checkedIn The latest epoch that it checked in for, plus one; zero where there is none.
    /// @param stake What was reserved for the seat.
    /// @param leftFrom First epoch without the seat, once it has left; while it is leaving, the earliest that can be.
    /// @param checkIns Bit b: it checked in for the epoch that is b before the latest.
    struct Member {
        address signer; // slot 0
        Status status;
        bool reserved;
        uint40 checkedIn;
        uint128 stake; // slot 1
        uint64 leftFrom;
        uint64 checkIns;
    }

    /// @notice An account asked for a seat.
    /// @param account Who will hold it.
    /// @param signer Key that will sign for it.
    /// @param earliestEpoch Earliest epoch in whose set it can be.
    event SeatJoined(address indexed account, address indexed signer, uint64 earliestEpoch);

    /// @notice A seat that waited in the queue will not be taken; its stake is free again.
    /// @param account Who had asked for it.
    event SeatJoinCancelled(address indexed account);

    /// @notice A seat that was outbid stays, since who had outbid it came to take no seat.
    /// @param account Who keeps the seat.
    event SeatKept(address indexed account);

    /// @notice A seat was given up.
    /// @param account Who holds it.
    /// @param earliestEpoch Earliest epoch whose set can be without it.
    event SeatLeft(address indexed account, uint64 earliestEpoch);

    /// @notice A higher stake takes a seat.
    /// @param account Who holds it.
    /// @param by Who takes it.
    /// @param earliestEpoch Earliest epoch in whose set that can be.
    event SeatOutbid(address indexed account, address indexed by, uint64 earliestEpoch);

    /// @notice A seat was evicted for what it left out.
    /// @param account Who holds it.
    /// @param sinceEpoch The earliest of the epochs that it was evicted for.
    /// @param earliestEpoch Earliest epoch whose set can be without it.
    event SeatEvicted(address indexed account, uint64 sinceEpoch, uint64 earliestEpoch);

    /// @notice A validator can be reached here.
    /// @param account Whose seat.
    /// @param endpoint Address of its interface.
    /// @param tlsFingerprint Fingerprint of the certificate it shows.
    event SeatEndpoint(address indexed account, string endpoint, bytes32 tlsFingerprint);

    /// @notice A seat is backed by more stake.
    /// @param account Whose seat.
    /// @param stake What is reserved for it now.
    event SeatRaised(address indexed account, uint128 stake);

    /// @notice A seat lost what was at stake; if it sits in the set, it leaves with the next epoch that is opened.
    /// @param account Whose seat.
    /// @param signer Key that signed for it.
    event SeatSlashed(address indexed account, address indexed signer);

    /// @notice A seat sits in the sets from an epoch on.
    /// @param account Who holds it.
    /// @param signer Key that signs for it.
    /// @param epoch First epoch with it.
    event SeatTaken(address indexed account, address indexed signer, uint64 epoch);

    /// @notice A seat sits in no set from an epoch on.
    /// @param account Who held it.
    /// @param epoch First epoch without it.
    event SeatVacated(address indexed account, uint64 epoch);

    /// @notice Stake that a seat had reserved is free again.
    /// @param account Whose stake.
    /// @param amount Base units.
    event SeatStakeReleased(address indexed account, uint128 amount);

    /// @notice A seat was there in an epoch that stopped before its seal.
    /// @param account Whose seat.
    /// @param epoch The epoch.
    event CheckedIn(address indexed account, uint64 epoch);

    /// @notice Epochs have another set from here on.
    /// @param setId Number of the set.
    /// @param firstEpoch First epoch with it.
    /// @param seats How many sit in it.
    event SetChanged(uint32 indexed setId, uint64 firstEpoch, uint8 seats);

    /// @notice The signature for a seat is not the signer's.
    /// @param signer Whose it should be.
    /// @param recovered Whose it is; zero for nobody's.
    error ValidatorSet_BadSignature(address signer, address recovered);

    /// @notice The key has served a seat already.
    /// @param signer The key.
    error ValidatorSet_SignerUsed(address signer);

    /// @notice The account holds a seat, or the stake of its last one has not been released.
    /// @param account The account.
    error ValidatorSet_AlreadySeated(address account);

    /// @notice The account does not hold such a seat.
    /// @param account The account.
    error ValidatorSet_NotSeated(address account);

    /// @notice Every seat is taken, and the caller's free stake does not outbid the lowest.
    /// @param seats How many are taken.
    /// @param lowestStake What the lowest has at stake.
    /// @param needed What it takes to outbid it.
    error ValidatorSet_Full(uint256 seats, uint256 lowestStake, uint256 needed);

    /// @notice The seat has not left out enough to be evicted.
    /// @param account Whose seat.
    /// @param leftOut Epochs in a row that it left out, of the latest that count.
    /// @param needed Epochs it takes.
    error ValidatorSet_NotIdle(address account, uint256 leftOut, uint256 needed);

    /// @notice There is nothing to check in for: only an epoch that was opened and stopped before its seal, from then to the
    /// end of the epoch after it.
    /// @param epoch The epoch asked for.
    error ValidatorSet_NoCheckIn(uint64 epoch);

    /// @notice The seat has checked in for the epoch.
    /// @param account Whose seat.
    /// @param epoch The epoch.
    error ValidatorSet_CheckedInAlready(address account, uint64 epoch);

    /// @notice The account sits not in the set of the epoch.
    /// @param account The account.
    /// @param epoch The epoch.
    error ValidatorSet_NotInSet(address account, uint64 epoch);

    /// @notice Nothing is left to slash of the seat that this signer served: it was taken, released, or is another tenure's.
    /// @param account Whose seat.
    /// @param signer Key that signed for it.
    error ValidatorSet_NothingAtStake(address account, address signer);

    /// @notice Only EpochOracle may call this.
    /// @param caller Who called.
    error ValidatorSet_NotOracle(address caller);

    /// @notice Only FraudProofs may call this.
    /// @param caller Who called.
    error ValidatorSet_NotFraudProofs(address caller);

    /// @notice Faults of the seat can still be proven.
    /// @param account Whose seat.
    /// @param releasableAt Second from which on its stake can be released.
    error ValidatorSet_StillProvable(address account, uint256 releasableAt);

    /// @notice The seat is leaving and still sits in an epoch that is kept.
    /// @param account Whose seat.
    /// @param epoch The epoch.
    error ValidatorSet_StillSitting(address account, uint64 epoch);

    /// @notice No signer was given.
    error ValidatorSet_ZeroAddress();

    /// @notice A constructor's argument is out of bounds.
    /// @param what Name of the argument.
    /// @param value Its value.
    /// @param bound What it must not be beyond.
    error ValidatorSet_BadBound(string what, uint256 value, uint256 bound);

    /// @notice The endpoint is too long.
    /// @param length Its bytes.
    /// @param limit The most it can have.
    error ValidatorSet_EndpointTooLong(uint256 length, uint256 limit);

    /// @notice The endpoint has a byte outside 0x21 to 0x7e: no reader could be sure to read it.
    error ValidatorSet_EndpointNotVisible();

    /// @notice No epoch has used a set of that number.
    /// @param setId The number.
    error ValidatorSet_UnknownSet(uint32 setId);

    /// @notice Asks for a seat with the caller's free stake: `seatStake` is reserved, or, when all seats are taken, 110 % of the
    /// lowest stake, whose place it takes. A seat that still waits and is outbid is cancelled at once. Before the first epoch is
    /// opened all that have joined make its set.
    /// @param signer Key that signs for the seat; it serves no other, ever.
    /// @param endpoint Address of the validator's interface.
    /// @param tlsFingerprint Fingerprint of the certificate it shows.
    /// @param signature The signer key's over `Seat(account, signer, nonce)` with the account's nonce.
    function join(address signer, string calldata endpoint, bytes32 tlsFingerprint, bytes calldata signature) external;

    /// @notice Adds free stake of the caller to its seat, so that it is harder to outbid.
    /// @param amount Base units.
    function raiseStake(uint128 amount) external;

    /// @notice Says that the caller was there in an epoch that stopped before its seal, from the seal's deadline to the end of the
    /// epoch after it. Excuses that epoch when an eviction is asked for; it never stands for a signature.
    /// @param epoch The epoch, in whose set the caller sits.
    function checkIn(uint64 epoch) external;

    /// @notice Gives the caller's seat up. A seat that still waits is cancelled, its stake is free at once, and whom it had outbid
    /// keeps its place. Another leaves by the queue; its stake can be released a day after the proof window.
    function leave() external;

    /// @notice Evicts a seat that left out the latest `idleEpochs` epochs that count. An epoch counts for the seats of its set. A
    /// sealed one is left out without the seat's signature under the seal and, once reported, under the report; one that stopped
    /// before its seal is left out unless the seat checked in for it, and then counts for nothing. Nobody is slashed. Anyone.
    /// @param account Whose seat.
    function evict(address account) external;

    /// @notice Releases the stake of a seat that has left, once neither proofs nor recorded faults can reach it any more. Anyone.
    /// Also that of a seat which wants to leave while no epoch is opened at all.
    /// @param account Whose seat.
    function releaseStake(address account) external;

    /// @notice Announces where the caller's validator is reached.
    /// @param endpoint Address of its interface.
    /// @param tlsFingerprint Fingerprint of the certificate it shows.
    function setEndpoint(string calldata endpoint, bytes32 tlsFingerprint) external;

    /// @notice Makes the changes that are due and fixes the set of `epoch`. Callable by EpochOracle when it opens the epoch.
    /// @param epoch Number of the epoch.
    /// @return setId Number of its set.
    /// @return seats How many sit in it.
    /// @return waiting Whether changes wait for later epochs.
    function snapshot(uint64 epoch) external returns (uint32 setId, uint8 seats, bool waiting);

    /// @notice Releases what a seat has at stake, to be slashed, and takes the seat out of the sets to come. Whatever a seat did, it
    /// pays once, and nothing that backs anything else. Callable by FraudProofs.
    /// @param account Whose seat.
    /// @param signer Key that signed for it when it did what was proven.
    /// @return stake Base units released.
    function markSlashed(address account, address signer) external returns (uint128 stake);

    /// @notice Seats of a set in signing order. Reverts with UnknownSet where no such set was fixed.
    /// @param setId Number of the set.
    /// @return The seats.
    function seatsOf(uint32 setId) external view returns (Seat[] memory);

    /// @notice The seats that would be fixed were an epoch opened now.
    /// @return The seats in signing order.
    function currentSeats() external view returns (Seat[] memory);

    /// @notice Accounts that will hold seats when every change has been made.
    /// @return The accounts.
    function plannedSeats() external view returns (address[] memory);

    /// @notice Nonce of the account's next join.
    /// @param account The account.
    /// @return The nonce.
    function seatNonce(address account) external view returns (uint64);

    /// @notice Whether a key has served a seat.
    /// @param signer The key.
    /// @return Whether it has.
    function signerUsed(address signer) external view returns (bool);

    /// @notice The least stake of a seat.
    /// @return Base units.
    function seatStake() external view returns (uint128);

    /// @notice One seat of a set.
    /// @param setId Number of the set.
    /// @param index Place in signing order.
    /// @return account Who holds it; zero where there is none.
    /// @return signer Key that signs for it.
    function seatAt(uint32 setId, uint256 index) external view returns (address account, address signer);

    /// @notice What is kept of an account's seat.
    /// @param account The account.
    /// @return The zero member for an unknown account.
    function member(address account) external view returns (Member memory);

    /// @notice Number of the set fixed last; zero before the first epoch.
    /// @return The number.
    function currentSetId() external view returns (uint32);

    /// @notice Epochs that a seat has to leave out before it may be evicted.
    /// @return Number of epochs.
    function idleEpochs() external view returns (uint32);
}
