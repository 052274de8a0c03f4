// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Emission, claimed against report roots
/// @notice Pays cumulative - claimed against a rewards root that is older than the claim delay and was not vetoed.
interface IRewardsDistributor {
    event RewardsClaimed(address indexed account, address indexed receiver, uint64 indexed epoch, uint256 amount);
    event RewardsVetoed(uint64 indexed epoch, bytes32 rewardsRoot);

    error RewardsDistributor_NotInReport(address account, uint64 epoch);
    error RewardsDistributor_TooEarly(uint64 epoch, uint256 claimableAt, uint256 timestamp);
    error RewardsDistributor_Vetoed(uint64 epoch);
    error RewardsDistributor_NothingDue(address account, uint256 cumulative, uint256 claimed);
    error RewardsDistributor_BeyondSchedule(uint256 total, uint256 limit);
    error RewardsDistributor_ZeroReceiver();
    error RewardsDistributor_VetoTooLate(uint64 epoch, uint256 claimableAt, uint256 timestamp);
    error RewardsDistributor_NoReport(uint64 epoch);
    error RewardsDistributor_BadBound(string what, uint256 value, uint256 bound);

    /// @notice Mints what `account` has earned up to the report of `epoch`. The account itself names the receiver.
    function claim(
        uint64 epoch,
        uint256 cumulative,
        bytes32[] calldata proof,
        address receiver
    ) external returns (uint256 amount);

    /// @notice Refuses claims against the report of `epoch`, within its claim delay. Later reports go on from the last that was
    /// not vetoed. Guardian only.
    function veto(uint64 epoch) external;

    /// @notice Seconds between a report and the first claim against it.
    function claimDelay() external view returns (uint40);

    /// @notice Whether the report of `epoch` was vetoed; false once the oracle keeps the epoch no longer.
    function vetoed(uint64 epoch) external view returns (bool);

    /// @notice Emission of one epoch: for providers, for validators, and the most that one credit may earn.
    function emission(
        uint64 epoch
    ) external view returns (uint256 providerPool, uint256 validatorPool, uint256 maxPerCredit);

    /// @notice All that may have been emitted up to and including the epoch.
    function scheduleLimit(uint64 epoch) external view returns (uint256);

    function claimed(address account) external view returns (uint256);
}
