// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Epochs: opened, sealed, drawn, reported
/// @notice Four transactions an epoch whatever the number of devices. What validators agree on is stored as roots;
/// whoever needs one line of a report proves it.
interface IEpochOracle {
    /// @notice How far an epoch has come; Void once a deadline has passed and somebody said so.
    enum Phase {
        None,
        Open,
        Sealed,
        Drawn,
        Reported,
        Void
    }

    /// @notice When an epoch's steps are due: seconds after its start, except where it says otherwise.
    /// @param genesis Second since 1970 at which epoch 0 starts.
    /// @param epochLength Seconds of an epoch.
    /// @param openBy Last second at which it is opened.
    /// @param sealBy Last second at which it is sealed.
    /// @param drawBy Last second at which its random number is drawn, and late signatures of its seal are taken.
    /// @param reportBy Last second at which it is reported.
    /// @param drawDelay Blocks after the seal whose blockhash is drawn.
    /// @param proofWindow Seconds after the end of the epoch in which it can be proven against.
    struct Timing {
        uint40 genesis;
        uint32 epochLength;
        uint32 openBy;
        uint32 sealBy;
        uint32 drawBy;
        uint32 reportBy;
        uint32 drawDelay;
        uint40 proofWindow;
    }

    /// @notice All that is kept of an epoch; zeros for what has not happened.
    /// @param phase How far it has come.
    /// @param setId Number of its set of seats.
    /// @param seats How many sit in it.
    /// @param sealCount Devices sealed.
    /// @param sealBlock Block of the seal.
    /// @param openedAt Second at which it was opened.
    /// @param reportedAt Second at which it was reported.
    /// @param sealSigners Seats that signed the seal, a bit each.
    /// @param reportSigners Seats that signed the report, a bit each.
    /// @param beacon What its opening drew.
    /// @param epochSeed What devices and validators work from, derived from the beacon.
    /// @param sealRoot Root of what was sealed.
    /// @param rho What its draw drew.
    /// @param devicesRoot Root of the report's device tree.
    /// @param rewardsRoot Root of the report's reward tree.
    /// @param rewardsTotal All that was ever earned, by the report.
    /// @param dataHash Hash of the data behind the report.
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

    /// @notice Leaf of the device tree of a report (OpenZeppelin StandardMerkleTree).
    /// @param epoch Epoch of the report.
    /// @param deviceId The device.
    /// @param sealIndex Its position in the seal.
    /// @param profile Profile it worked for.
    /// @param scoreGops Measured rate, in giga-operations a second.
    /// @param memoryMiB Memory that it showed.
    /// @param uptimeBps Attested uptime, in ten thousandths.
    /// @param flags 1 passed, 2 leased, 4 late, 8 bad opening, 16 unreachable, 32 no opening, 64 unscored.
    /// @param resultRoot Root of its work.
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

    /// @notice Signatures of seats, in seat order.
    /// @param signers A bit for each seat that signed.
    /// @param signatures One compact (EIP-2098) signature of 64 bytes for each bit.
    struct Quorum {
        uint32 signers;
        bytes signatures;
    }

    /// @notice Results of an epoch.
    /// @param epoch Number of the epoch.
    /// @param round Round in which the report was agreed on.
    /// @param devicesRoot Root of the device tree.
    /// @param rewardsRoot Root of the reward tree, whose leaves are cumulative.
    /// @param rewardsTotal Sum of its leaves: all that was ever earned.
    /// @param dataHash Hash of the data behind it.
    struct Report {
        uint64 epoch;
        uint32 round;
        bytes32 devicesRoot;
        bytes32 rewardsRoot;
        uint256 rewardsTotal;
        bytes32 dataHash;
    }

    /// @notice An epoch was opened.
    /// @param epoch Number of the epoch.
    /// @param setId Number of its set of seats.
    /// @param beacon What its opening drew.
    /// @param epochSeed What devices and validators work from.
    event EpochOpened(uint64 indexed epoch, uint32 setId, bytes32 beacon, bytes32 epochSeed);

    /// @notice What devices committed to was fixed.
    /// @param epoch Number of the epoch.
    /// @param round Round in which the seal was agreed on.
    /// @param sealRoot Root of what was sealed.
    /// @param count Devices sealed.
    /// @param signers Seats that signed, a bit each.
    event EpochSealed(uint64 indexed epoch, uint32 round, bytes32 sealRoot, uint32 count, uint32 signers);

    /// @notice An epoch's random number was drawn.
    /// @param epoch Number of the epoch.
    /// @param rho The number.
    event EpochDrawn(uint64 indexed epoch, bytes32 rho);

    /// @notice Results were posted.
    /// @param epoch Number of the epoch.
    /// @param round Round in which the report was agreed on.
    /// @param devicesRoot Root of the device tree.
    /// @param rewardsRoot Root of the reward tree.
    /// @param rewardsTotal All that was ever earned.
    /// @param dataHash Hash of the data behind it.
    /// @param signers Seats that signed, a bit each.
    event EpochReported(
        uint64 indexed epoch,
        uint32 round,
        bytes32 devicesRoot,
        bytes32 rewardsRoot,
        uint256 rewardsTotal,
        bytes32 dataHash,
        uint32 signers
    );

    /// @notice An epoch missed a deadline and takes nothing more.
    /// @param epoch Number of the epoch.
    /// @param reached How far it had come.
    event EpochVoided(uint64 indexed epoch, Phase reached);

    /// @notice Late signatures were added to a seal or a report.
    /// @param epoch Number of the epoch.
    /// @param isReport Whether to the report.
    /// @param signers All seats that have signed it now, a bit each.
    event SignaturesAdded(uint64 indexed epoch, bool isReport, uint32 signers);

    /// @notice The epoch is not in the phase that this takes.
    /// @param epoch Number of the epoch.
    /// @param phase Phase it is in.
    error EpochOracle_WrongPhase(uint64 epoch, Phase phase);

    /// @notice The step's time has not come.
    /// @param epoch Number of the epoch.
    /// @param opensAt Second, or for a draw the block, from which on it may be made.
    /// @param current Second or block of the call.
    error EpochOracle_TooEarly(uint64 epoch, uint256 opensAt, uint256 current);

    /// @notice The step's time is over.
    /// @param epoch Number of the epoch.
    /// @param closedAt Last second at which it could be made.
    /// @param current Second of the call.
    error EpochOracle_TooLate(uint64 epoch, uint256 closedAt, uint256 current);

    /// @notice The epoch can still go on, so that it is not void.
    /// @param epoch Number of the epoch.
    error EpochOracle_NotDue(uint64 epoch);

    /// @notice A later epoch, or this one, has been reported.
    /// @param epoch Number of the epoch.
    /// @param lastReported Epoch reported last.
    error EpochOracle_OutOfOrder(uint64 epoch, uint64 lastReported);

    /// @notice A constructor's argument is out of bounds.
    /// @param what Name of the argument.
    /// @param value Its value.
    /// @param bound What it must not be beyond.
    error EpochOracle_BadTiming(string what, uint256 value, uint256 bound);

    /// @notice A root is missing, or one is given over nothing.
    /// @param epoch Number of the epoch.
    error EpochOracle_ZeroRoot(uint64 epoch);

    /// @notice Nobody holds a seat.
    /// @param epoch Number of the epoch.
    error EpochOracle_NoSeats(uint64 epoch);

    /// @notice The blockhash to draw from is no longer to be had.
    /// @param epoch Number of the epoch.
    /// @param blockNumber Block whose hash it is.
    error EpochOracle_BlockhashGone(uint64 epoch, uint256 blockNumber);

    /// @notice The mask of signers names seats that the set does not have.
    /// @param signers The mask.
    /// @param seats How many seats the set has.
    error EpochOracle_SignersOutOfSet(uint32 signers, uint256 seats);

    /// @notice Too few seats signed.
    /// @param signed How many did.
    /// @param quorum How many have to.
    error EpochOracle_NoQuorum(uint256 signed, uint256 quorum);

    /// @notice There are more or fewer bytes of signatures than the mask names.
    /// @param length Bytes given.
    /// @param expected Bytes expected.
    error EpochOracle_SignatureLength(uint256 length, uint256 expected);

    /// @notice A signature is not that of its seat.
    /// @param seat Place of the seat in signing order.
    /// @param expected The seat's signer.
    /// @param recovered Whose it is; zero for nobody's.
    error EpochOracle_BadSignature(uint256 seat, address expected, address recovered);

    /// @notice The rewards total fell.
    /// @param total Total of the report.
    /// @param previous Total of the last report that counts.
    error EpochOracle_RewardsShrank(uint256 total, uint256 previous);

    /// @notice The rewards total rises by more than the emission of the reported epoch.
    /// @param total Total of the report.
    /// @param limit The most it may be.
    error EpochOracle_RewardsBeyondEmission(uint256 total, uint256 limit);

    /// @notice Only RewardsDistributor may call this.
    /// @param caller Who called.
    error EpochOracle_NotSchedule(address caller);

    /// @notice Only ValidatorSet may call this.
    /// @param caller Who called.
    error EpochOracle_NotValidatorSet(address caller);

    /// @notice Opens the epoch and fixes its seats. Anyone, between its start and `openBy`.
    /// @param epoch Number of the epoch.
    /// @return beacon What it drew.
    function openEpoch(uint64 epoch) external returns (bytes32 beacon);

    /// @notice Fixes what devices committed to, signed by a quorum over `Seal(...)`.
    /// @param epoch Number of the epoch.
    /// @param round Round in which the seal was agreed on.
    /// @param sealRoot Root of what is sealed; zero for no device.
    /// @param count Devices sealed.
    /// @param quorum Signatures.
    function seal(uint64 epoch, uint32 round, bytes32 sealRoot, uint32 count, Quorum calldata quorum) external;

    /// @notice Draws rho = keccak256(blockhash(sealBlock + drawDelay) ‖ sealRoot). Anyone; the same whoever calls.
    /// @param epoch Number of the epoch.
    /// @return rho What it drew.
    function draw(uint64 epoch) external returns (bytes32 rho);

    /// @notice Posts the results, signed by a quorum over `EpochReport(...)`. The rewards total rises by no more than the emission
    /// of the epoch itself, and not at all with fewer than four seats: what void and vetoed epochs could have emitted is gone.
    /// @param r The results.
    /// @param quorum Signatures.
    function report(Report calldata r, Quorum calldata quorum) external;

    /// @notice Adds late signatures to an accepted seal or report, for the presence that rewards and evictions count.
    /// @param epoch Number of the epoch.
    /// @param isReport Whether to the report.
    /// @param round Round that they were made for.
    /// @param quorum Signatures, one at least.
    function addSignatures(uint64 epoch, bool isReport, uint32 round, Quorum calldata quorum) external;

    /// @notice Declares an epoch void once one of its deadlines has passed. Anyone.
    /// @param epoch Number of the epoch.
    function voidEpoch(uint64 epoch) external;

    /// @notice Takes the rewards of a report, and of those that went on from it, out of what counts: later totals go on from the
    /// last report before it that counts. Callable by RewardsDistributor.
    /// @param epoch Epoch of the report.
    /// @return vetoedNow Epochs of the reports that counted until now, the named one first.
    /// @return inARow Reports vetoed since the last one that counts, those before this call too.
    function markVetoed(uint64 epoch) external returns (uint64[] memory vetoedNow, uint256 inARow);

    /// @notice Says that a change of the set waits, so that openings ask for it. Callable by ValidatorSet.
    function noteSetChange() external;

    /// @notice All that is kept of an epoch.
    /// @param epoch Number of the epoch.
    /// @return The zero state for an epoch never opened or already overwritten in the ring.
    function epochState(uint64 epoch) external view returns (EpochState memory);

    /// @notice Seed of the epoch.
    /// @param epoch Number of the epoch.
    /// @return Zero once it is no longer kept: then nothing can be proven against the epoch.
    function epochSeed(uint64 epoch) external view returns (bytes32);

    /// @notice What was sealed and drawn; zeros for what has not happened or is no longer kept.
    /// @param epoch Number of the epoch.
    /// @return sealRoot Root of what was sealed.
    /// @return count Devices sealed.
    /// @return signers Seats that signed, a bit each.
    /// @return rho What the draw drew.
    function sealOf(uint64 epoch) external view returns (bytes32 sealRoot, uint32 count, uint32 signers, bytes32 rho);

    /// @notice What rewards are claimed against, unless it was vetoed; zeros for an epoch without an accepted report. It
    /// stays until another report takes its place in the ring, also when the epoch itself is overwritten.
    /// @param epoch Number of the epoch.
    /// @return rewardsRoot Root of the reward tree.
    /// @return rewardsTotal All that was ever earned.
    /// @return reportedAt Second of the report.
    /// @return vetoed Whether its rewards were vetoed.
    function rewardsOf(
        uint64 epoch
    ) external view returns (bytes32 rewardsRoot, uint256 rewardsTotal, uint40 reportedAt, bool vetoed);

    /// @notice Who signed.
    /// @param epoch Number of the epoch.
    /// @return setId Number of its set; zero for an epoch never opened or no longer kept.
    /// @return sealSigners Seats that signed the seal, a bit each; zero without a seal.
    /// @return reportSigners Seats that signed the report, a bit each; zero without a report.
    function presence(uint64 epoch) external view returns (uint32 setId, uint32 sealSigners, uint32 reportSigners);

    /// @notice Root of the device tree of a report. Kept as long as `rewardsOf`.
    /// @param epoch Number of the epoch.
    /// @return devicesRoot Zero for an epoch without an accepted report.
    function devicesRootOf(uint64 epoch) external view returns (bytes32 devicesRoot);

    /// @notice Whether a leaf stands in the report of its epoch.
    /// @param leaf The leaf.
    /// @param proof Its path in the device tree.
    /// @return Whether it does.
    function verifyDevice(DeviceLeaf calldata leaf, bytes32[] calldata proof) external view returns (bool);

    /// @notice Number of the epoch that this second is in.
    /// @return Zero before the first too.
    function currentEpoch() external view returns (uint64);

    /// @notice When an epoch starts.
    /// @param epoch Number of the epoch.
    /// @return Second since 1970.
    function epochStart(uint64 epoch) external view returns (uint256);

    /// @notice When an epoch's steps are due.
    /// @return What the oracle was deployed with.
    function timing() external view returns (Timing memory);

    /// @notice Whether proofs against the epoch are still taken.
    /// @param epoch Number of the epoch.
    /// @return Whether they are.
    function provable(uint64 epoch) external view returns (bool);

    /// @notice How many epochs are kept: more than the proof window has.
    /// @return Number of epochs.
    function ringSize() external view returns (uint64);

    /// @notice Where reports stand.
    /// @return rewardsTotal Total of the last report that was not vetoed.
    /// @return epoch The last epoch reported, vetoed or not.
    /// @return any Whether there was any report.
    function lastReport() external view returns (uint128 rewardsTotal, uint64 epoch, bool any);

    /// @notice Separator of the domain in which devices and validators sign.
    /// @return The separator.
    function domainSeparator() external view returns (bytes32);
}
