// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Validator seats, one set per epoch
/// @notice Up to 31 seats. A set, once an epoch has used it, never changes and is kept through the proof window.
interface IValidatorSet {
    struct Seat {
        address account;
        address signer;
    }

    event SeatJoined(address indexed account, address indexed signer, uint64 effectiveEpoch);
    event SeatLeft(address indexed account, uint64 effectiveEpoch);
    event SeatOutbid(address indexed account, address indexed by, uint64 effectiveEpoch);
    event SeatEvicted(address indexed account, uint64 lastActiveEpoch, uint64 effectiveEpoch);
    event SeatEndpoint(address indexed account, string endpoint, bytes32 tlsFingerprint);
    event SetChanged(uint32 indexed setId, uint64 firstEpoch, uint8 seats);

    error ValidatorSet_BadSignature(address signer, address recovered);
    error ValidatorSet_SignerUsed(address signer);
    error ValidatorSet_AlreadySeated(address account);
    error ValidatorSet_NotSeated(address account);
    error ValidatorSet_Full(uint256 seats, uint256 lowestStake, uint256 needed);
    error ValidatorSet_TooManyChanges(uint64 epoch, uint256 changes);
    error ValidatorSet_NotIdle(address account, uint64 lastActiveEpoch);
    error ValidatorSet_NotOracle(address caller);
    error ValidatorSet_EndpointTooLong(uint256 length);
    error ValidatorSet_UnknownSet(uint32 setId);

    /// @notice Takes a seat with the caller's free stake (`seatStake` is reserved). `signature` is the signer key's
    /// over `Seat(account, signer, nonce)` with the account's nonce. Before the first epoch is opened a seat takes
    /// effect at once, later at epoch + 2.
    function join(address signer, string calldata endpoint, bytes32 tlsFingerprint, bytes calldata signature) external;

    /// @notice Gives the seat up from epoch + 2. The reserved stake is released after the proof window.
    function leave() external;

    /// @notice Evicts a seat that was in no seal and no report for the idle limit. Anyone may call; nobody is slashed.
    function evict(address account) external;

    /// @notice Releases the stake of a seat that was left, outbid or evicted, once it can no longer be proven against.
    function releaseStake(address account) external;

    function setEndpoint(string calldata endpoint, bytes32 tlsFingerprint) external;

    /// @notice Fixes the set of `epoch`. Callable by EpochOracle when it opens the epoch.
    function snapshot(uint64 epoch) external returns (uint32 setId, uint8 seats);

    /// @notice Notes who signed a seal or report, for eviction. Callable by EpochOracle.
    function recordPresence(uint32 setId, uint64 epoch, uint32 signers) external;

    /// @notice Seats of a set in signing order. Reverts with UnknownSet where no such set was fixed.
    function seatsOf(uint32 setId) external view returns (Seat[] memory);

    /// @notice The seats that would be fixed were an epoch opened now.
    function currentSeats() external view returns (Seat[] memory);

    function seatNonce(address account) external view returns (uint64);

    function seatStake() external view returns (uint128);
}
