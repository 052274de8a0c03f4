// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEmission} from "./IEmission.sol";

/// @title Emission, claimed against report roots
/// @notice Pays cumulative - claimed against a rewards root that is older than its claim delay and was not vetoed, and
/// never more in all than the total of the report that is claimed against.
interface IRewardsDistributor is IEmission {
    /// @notice What claims depend on; fixed for ever. The curve is the token's.
    /// @param providerBps Share of providers in an epoch's emission, in ten thousandths; validators have the rest.
    /// @param maxPerCredit The most that one credit may earn in an epoch, in base units.
    /// @param claimDelay Seconds between a report and the first claim against it, in which the guardian may veto.
    /// @param longClaimDelay The same for reports after the guardian's third veto in a row, in which the timelock may veto;
    /// longer than any delay the timelock can have.
    struct Terms {
        uint16 providerBps;
        uint128 maxPerCredit;
        uint40 claimDelay;
        uint40 longClaimDelay;
    }

    /// @notice An account was paid what it had earned.
    /// @param account Whose earnings.
    /// @param receiver Who was paid.
    /// @param epoch Epoch of the report that was claimed against.
    /// @param amount Base units.
    event RewardsClaimed(address indexed account, address indexed receiver, uint64 indexed epoch, uint256 amount);

    /// @notice The rewards of a report were vetoed, by itself or together with an earlier one that it had gone on from.
    /// @param epoch Epoch of the report.
    /// @param rewardsRoot The root that nobody can claim against.
    event RewardsVetoed(uint64 indexed epoch, bytes32 rewardsRoot);

    /// @notice The guardian has vetoed as many reports in a row as it may.
    /// @param from Second from which reports have the long claim delay.
    /// @param until Second at which the guardian may veto again, reports made from then on.
    event GuardianSuspended(uint40 from, uint40 until);

    /// @notice The token has given emission to this distributor.
    /// @param firstEpoch First epoch with emission.
    event EmissionBegun(uint64 firstEpoch);

    /// @notice The token has ended the emission of this distributor.
    /// @param lastEpoch Last epoch with emission.
    event EmissionEnded(uint64 lastEpoch);

    /// @notice The account has not earned that much by that report.
    /// @param account Who claims.
    /// @param epoch Epoch of the report.
    error RewardsDistributor_NotInReport(address account, uint64 epoch);

    /// @notice The claim delay of the report is not over.
    /// @param epoch Epoch of the report.
    /// @param claimableAt Second at which it is.
    /// @param timestamp Second of the call.
    error RewardsDistributor_TooEarly(uint64 epoch, uint256 claimableAt, uint256 timestamp);

    /// @notice The rewards of the report were vetoed.
    /// @param epoch Epoch of the report.
    error RewardsDistributor_Vetoed(uint64 epoch);

    /// @notice The account has already claimed as much.
    /// @param account Who claims.
    /// @param cumulative What it has earned by that report.
    /// @param claimed What it has claimed.
    error RewardsDistributor_NothingDue(address account, uint256 cumulative, uint256 claimed);

    /// @notice With this claim more would have been minted than the report says was ever earned.
    /// @param total What would have been minted in all.
    /// @param limit Rewards total of the report.
    error RewardsDistributor_BeyondReport(uint256 total, uint256 limit);

    /// @notice No receiver was named.
    error RewardsDistributor_ZeroReceiver();

    /// @notice The time in which the caller may veto the report is over.
    /// @param epoch Epoch of the report.
    /// @param closedAt Second at which it ended.
    /// @param timestamp Second of the call.
    error RewardsDistributor_VetoTooLate(uint64 epoch, uint256 closedAt, uint256 timestamp);

    /// @notice The guardian has vetoed as many reports in a row as it may: this one is for the timelock alone.
    /// @param epoch Epoch of the report.
    /// @param until Reports made from this second on are the guardian's again.
    error RewardsDistributor_GuardianSuspended(uint64 epoch, uint40 until);

    /// @notice There is no report of that epoch, or it is no longer kept.
    /// @param epoch Epoch asked for.
    error RewardsDistributor_NoReport(uint64 epoch);

    /// @notice A constructor's argument is out of bounds.
    /// @param what Name of the argument.
    /// @param value Its value.
    /// @param bound What it must not be beyond.
    error RewardsDistributor_BadBound(string what, uint256 value, uint256 bound);

    /// @notice Only the token may begin and end emission.
    /// @param caller Who called.
    error RewardsDistributor_NotToken(address caller);

    /// @notice Emission has begun or ended already.
    /// @param epoch Epoch in which it did.
    error RewardsDistributor_AlreadySet(uint64 epoch);

    /// @notice Mints what the caller has earned up to the report of `epoch` and has not claimed. All that this distributor
    /// ever minted stays within the rewards total of that report, so that a root with leaves beyond its total takes nothing
    /// that later epochs will earn.
    /// @param epoch Epoch of the report.
    /// @param cumulative What the caller has earned in all by that report.
    /// @param proof Path of its leaf in the report's reward tree.
    /// @param receiver Who is paid.
    /// @return amount Base units minted.
    function claim(
        uint64 epoch,
        uint256 cumulative,
        bytes32[] calldata proof,
        address receiver
    ) external returns (uint256 amount);

    /// @notice Refuses claims against the report of `epoch` and against those that went on from it. Within the claim delay,
    /// and only for reports made while the guardian is not suspended: with the third report vetoed in a row it is, for the long
    /// claim delay. Guardian only.
    /// @param epoch Epoch of the report.
    function veto(uint64 epoch) external;

    /// @notice The same by governance, at any time before the report can be claimed against. It suspends nobody.
    /// @param epoch Epoch of the report.
    function vetoByTimelock(uint64 epoch) external;

    /// @notice Seconds between a report and the first claim against it.
    /// @return Seconds.
    function claimDelay() external view returns (uint40);

    /// @notice The same for reports made while the guardian is suspended.
    /// @return Seconds.
    function longClaimDelay() external view returns (uint40);

    /// @notice From when on the report of `epoch` can be claimed against, unless it is vetoed before. Never earlier than that
    /// of an earlier report.
    /// @param epoch Epoch of the report.
    /// @return Second since 1970; zero where there is no report.
    function claimableAt(uint64 epoch) external view returns (uint256);

    /// @notice Until when the guardian cannot veto.
    /// @return Second since 1970; reports made before it are not the guardian's to veto.
    function guardianSuspendedUntil() external view returns (uint40);

    /// @notice Whether the report of `epoch` was vetoed.
    /// @param epoch Epoch of the report.
    /// @return isVetoed False too once the oracle keeps the epoch no longer.
    function vetoed(uint64 epoch) external view returns (bool isVetoed);

    /// @notice Emission of one epoch and how it is shared.
    /// @param epoch Number of the epoch.
    /// @return providerPool For providers, in base units.
    /// @return validatorPool For validators.
    /// @return maxPerCredit The most that one credit may earn.
    function emission(
        uint64 epoch
    ) external view returns (uint256 providerPool, uint256 validatorPool, uint256 maxPerCredit);

    /// @notice Whole emission of one epoch, by which its report may raise the rewards total.
    /// @param epoch Number of the epoch.
    /// @return Base units; zero for epochs that are not this distributor's.
    function emissionOf(uint64 epoch) external view returns (uint256);

    /// @notice First epoch with emission.
    /// @return The largest number until the token has given emission to this distributor.
    function firstEpoch() external view returns (uint64);

    /// @notice Last epoch with emission.
    /// @return The largest number until the token has ended it.
    function lastEpoch() external view returns (uint64);

    /// @notice What an account has claimed.
    /// @param account Whose claims.
    /// @return Base units.
    function claimed(address account) external view returns (uint256);

    /// @notice All that was ever claimed here.
    /// @return Base units.
    function totalClaimed() external view returns (uint256);
}
