// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Epochs: opened, sealed, drawn, reported
/// @notice Four transactions an epoch whatever the number of devices. What validators agree on is stored as roots;
/// whoever needs one line of a report proves it.
interface IEpochOracle {
    enum Phase {
        None,
        Open,
        Sealed,
        Drawn,
        Reported,
        Void
    }

    /// @dev Seconds after the start of the epoch, except `drawDelay` (blocks after the seal).
    struct Timing {
        uint40 genesis;
        uint32 epochLength;
        uint32 openBy;
        uint32 sealBy;
        uint32 drawBy;
        uint32 reportBy;
        uint32 drawDelay;
        uint40 proofWindow; // seconds after the end of the epoch in which it can be proven against
    }

    struct EpochState {
        Phase phase;
        uint32 setId;
        uint8 seats;
        uint32 sealCount;
        uint64 sealBlock;
        uint40 openedAt;
        uint40 reportedAt;
        uint32 sealSigners;
        uint32 reportSigners;
        bytes32 beacon;
        bytes32 epochSeed;
        bytes32 sealRoot;
        bytes32 rho;
        bytes32 devicesRoot;
        bytes32 rewardsRoot;
        uint256 rewardsTotal;
        bytes32 dataHash;
    }

    /// @dev Leaf of the device tree of a report (OpenZeppelin StandardMerkleTree).
    struct DeviceLeaf {
        uint64 epoch;
        bytes32 deviceId;
        uint32 sealIndex;
        uint32 profile;
        uint64 scoreGops;
        uint32 memoryMiB;
        uint16 uptimeBps;
        uint16 flags;
        bytes32 resultRoot;
    }

    /// @dev Seat signatures in seat order: one compact (EIP-2098) signature of 64 bytes for each bit of `signers`.
    struct Quorum {
        uint32 signers;
        bytes signatures;
    }

    struct Report {
        uint64 epoch;
        uint32 round;
        bytes32 devicesRoot;
        bytes32 rewardsRoot;
        uint256 rewardsTotal;
        bytes32 dataHash;
    }

    event EpochOpened(uint64 indexed epoch, uint32 setId, bytes32 beacon, bytes32 epochSeed);
    event EpochSealed(uint64 indexed epoch, uint32 round, bytes32 sealRoot, uint32 count, uint32 signers);
    event EpochDrawn(uint64 indexed epoch, bytes32 rho);
    event EpochReported(
        uint64 indexed epoch,
        uint32 round,
        bytes32 devicesRoot,
        bytes32 rewardsRoot,
        uint256 rewardsTotal,
        bytes32 dataHash,
        uint32 signers
    );
    event EpochVoided(uint64 indexed epoch, Phase reached);
    event SignaturesAdded(uint64 indexed epoch, bool isReport, uint32 signers);

    error EpochOracle_WrongPhase(uint64 epoch, Phase phase);
    error EpochOracle_TooEarly(uint64 epoch, uint256 opensAt, uint256 current);
    error EpochOracle_TooLate(uint64 epoch, uint256 closedAt, uint256 current);
    error EpochOracle_NotDue(uint64 epoch);
    error EpochOracle_OutOfOrder(uint64 epoch, uint64 lastReported);
    error EpochOracle_BadTiming(string what, uint256 value, uint256 bound);
    error EpochOracle_ZeroRoot(uint64 epoch);
    error EpochOracle_NoSeats(uint64 epoch);
    error EpochOracle_BlockhashGone(uint64 epoch, uint256 blockNumber);
    error EpochOracle_SignersOutOfSet(uint32 signers, uint256 seats);
    error EpochOracle_NoQuorum(uint256 signed, uint256 quorum);
    error EpochOracle_SignatureLength(uint256 length, uint256 expected);
    error EpochOracle_BadSignature(uint256 seat, address expected, address recovered);
    error EpochOracle_RewardsShrank(uint256 total, uint256 previous);
    error EpochOracle_RewardsBeyondSchedule(uint256 total, uint256 limit);
    error EpochOracle_NotSchedule(address caller);
    error EpochOracle_NotValidatorSet(address caller);

    /// @notice Opens the epoch and fixes its seats. Anyone, between its start and `openBy`.
    function openEpoch(uint64 epoch) external returns (bytes32 beacon);

    /// @notice Fixes what devices committed to, signed by a quorum over `Seal(...)`.
    function seal(uint64 epoch, uint32 round, bytes32 sealRoot, uint32 count, Quorum calldata quorum) external;

    /// @notice Draws rho = keccak256(blockhash(sealBlock + drawDelay) ‖ sealRoot). Anyone; the same whoever calls.
    function draw(uint64 epoch) external returns (bytes32 rho);

    /// @notice Posts the results, signed by a quorum over `EpochReport(...)`.
    function report(Report calldata r, Quorum calldata quorum) external;

    /// @notice Adds late signatures to an accepted seal or report, for the presence that rewards count.
    function addSignatures(uint64 epoch, bool isReport, uint32 round, Quorum calldata quorum) external;

    /// @notice Declares an epoch void once one of its deadlines has passed. Anyone.
    function voidEpoch(uint64 epoch) external;

    /// @notice Takes a report's rewards out of what counts: the total of later reports goes on from the last that was not
    /// vetoed. Callable by RewardsDistributor.
    function markVetoed(uint64 epoch) external;

    /// @notice Says that a change of the set waits, so that openings ask for it. Callable by ValidatorSet.
    function noteSetChange() external;

    /// @notice The zero state for an epoch never opened or already overwritten in the ring.
    function epochState(uint64 epoch) external view returns (EpochState memory);

    /// @notice Seed of the epoch, or zero once it is no longer kept: then nothing can be proven against the epoch.
    function epochSeed(uint64 epoch) external view returns (bytes32);

    /// @notice What was sealed and drawn; zeros for what has not happened or is no longer kept.
    function sealOf(uint64 epoch) external view returns (bytes32 sealRoot, uint32 count, uint32 signers, bytes32 rho);

    /// @notice What rewards are claimed against, unless it was vetoed; zeros for an epoch without an accepted report. It
    /// stays until another report takes its place in the ring, also when the epoch itself is overwritten.
    function rewardsOf(
        uint64 epoch
    ) external view returns (bytes32 rewardsRoot, uint256 rewardsTotal, uint40 reportedAt, bool vetoed);

    /// @notice Who signed; `setId` is zero for an epoch never opened or no longer kept.
    function presence(uint64 epoch) external view returns (uint32 setId, uint32 sealSigners, uint32 reportSigners);

    /// @notice Root of the device tree of a report; zero for an epoch without an accepted one. Kept as long as `rewardsOf`.
    function devicesRootOf(uint64 epoch) external view returns (bytes32 devicesRoot);

    /// @notice Whether `leaf` stands in the report of its epoch.
    function verifyDevice(DeviceLeaf calldata leaf, bytes32[] calldata proof) external view returns (bool);

    function currentEpoch() external view returns (uint64);

    /// @notice Seconds since 1970 at which the epoch starts.
    function epochStart(uint64 epoch) external view returns (uint256);

    function timing() external view returns (Timing memory);

    /// @notice Whether proofs against the epoch are still taken.
    function provable(uint64 epoch) external view returns (bool);

    /// @notice Number of epochs kept; longer than the proof window.
    function ringSize() external view returns (uint64);

    /// @notice The last epoch whose report was accepted, and the rewards total of the last that was not vetoed.
    function lastReport() external view returns (uint128 rewardsTotal, uint64 epoch, bool any);
}
