// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Validator seats, one set per epoch
/// @notice Up to 31 seats. A set, once an epoch has used it, never changes and is kept through the proof window.
interface IValidatorSet {
    enum Status {
        None,
        Joining,
        Seated,
        Leaving,
        Left
    }

    struct Seat {
        address account;
        address signer;
    }

    /// @dev `leftFrom` is the first epoch without the seat; its stake is releasable after the proof window from there.
    struct Member {
        address signer; // slot 0
        Status status;
        bool reserved;
        uint40 checkedIn; // epoch of the last check-in, plus one
        uint128 stake; // slot 1
        uint64 leftFrom;
    }

    event SeatJoined(address indexed account, address indexed signer, uint64 effectiveEpoch);
    event SeatLeft(address indexed account, uint64 effectiveEpoch);
    event SeatOutbid(address indexed account, address indexed by, uint64 effectiveEpoch);
    event SeatEvicted(address indexed account, uint64 lastActiveEpoch, uint64 effectiveEpoch);
    event SeatEndpoint(address indexed account, string endpoint, bytes32 tlsFingerprint);
    event SeatRaised(address indexed account, uint128 stake);
    event SeatSlashed(address indexed account, uint64 effectiveEpoch);
    event SeatStakeReleased(address indexed account, uint128 amount);
    event CheckedIn(address indexed account, uint64 epoch);
    event SetChanged(uint32 indexed setId, uint64 firstEpoch, uint8 seats);

    error ValidatorSet_BadSignature(address signer, address recovered);
    error ValidatorSet_SignerUsed(address signer);
    error ValidatorSet_AlreadySeated(address account);
    error ValidatorSet_NotSeated(address account);
    error ValidatorSet_Full(uint256 seats, uint256 lowestStake, uint256 needed);
    error ValidatorSet_TooManyChanges(uint256 queued, uint256 limit);
    error ValidatorSet_NotIdle(address account, uint64 lastActiveEpoch);
    error ValidatorSet_NotOracle(address caller);
    error ValidatorSet_NotFraudProofs(address caller);
    error ValidatorSet_StillProvable(address account, uint256 releasableAt);
    error ValidatorSet_ZeroAddress();
    error ValidatorSet_BadBound(string what, uint256 value, uint256 bound);
    error ValidatorSet_EndpointTooLong(uint256 length, uint256 limit);
    error ValidatorSet_UnknownSet(uint32 setId);

    /// @notice Takes a seat with the caller's free stake: `seatStake` is reserved, or, when all seats are taken, 110 % of
    /// the lowest stake, whose seat it takes. `signature` is the signer key's over `Seat(account, signer, nonce)` with the
    /// account's nonce; a signer serves one seat for ever. Before the first epoch is opened a seat takes effect at once,
    /// later at epoch + 2 or, when that epoch has its share of changes, after it.
    function join(address signer, string calldata endpoint, bytes32 tlsFingerprint, bytes calldata signature) external;

    /// @notice Adds free stake of the caller to its seat, so that it is harder to outbid.
    function raiseStake(uint128 amount) external;

    /// @notice Says that the caller's seat is alive, for epochs in which no seal was possible. Counts against eviction only.
    function checkIn() external;

    /// @notice Gives the seat up from epoch + 2. The reserved stake is released after the proof window.
    function leave() external;

    /// @notice Evicts a seat that was in no seal and no report for the idle limit. Anyone may call; nobody is slashed.
    function evict(address account) external;

    /// @notice Releases the stake of a seat that was left, outbid or evicted, once it can no longer be proven against.
    function releaseStake(address account) external;

    function setEndpoint(string calldata endpoint, bytes32 tlsFingerprint) external;

    /// @notice Fixes the set of `epoch`, and says whether changes wait for later ones. Callable by EpochOracle when it opens
    /// the epoch.
    function snapshot(uint64 epoch) external returns (uint32 setId, uint8 seats, bool waiting);

    /// @notice Takes a slashed seat out of the sets to come and gives its reservation back; what it pays at most. Callable by
    /// FraudProofs.
    function markSlashed(address account) external returns (uint128 stake);

    /// @notice Seats of a set in signing order. Reverts with UnknownSet where no such set was fixed.
    function seatsOf(uint32 setId) external view returns (Seat[] memory);

    /// @notice The seats that would be fixed were an epoch opened now.
    function currentSeats() external view returns (Seat[] memory);

    function seatNonce(address account) external view returns (uint64);

    /// @notice The least stake of a seat.
    function seatStake() external view returns (uint128);

    /// @notice One seat of a set; zeros where there is none.
    function seatAt(uint32 setId, uint256 index) external view returns (address account, address signer);

    /// @notice The zero member for an unknown account.
    function member(address account) external view returns (Member memory);

    function currentSetId() external view returns (uint32);

    /// @notice Epochs without a signature after which a seat may be evicted.
    function idleEpochs() external view returns (uint32);
}
