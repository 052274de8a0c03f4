// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Stakes of providers and validators
/// @notice One account has one stake. Devices and seats reserve parts of it; only a checked proof slashes it.
/// @dev `active` backs what is reserved; `pending` has been asked back and can still be slashed, matured or not.
interface IStakeManager {
    struct Account {
        uint128 active;
        uint128 pending;
        uint128 reserved;
        uint40 unlockAt;
        uint32 openDemands;
    }

    event Deposited(address indexed account, address indexed from, uint256 amount);
    event Reserved(address indexed account, uint256 amount, uint256 reserved);
    event Released(address indexed account, uint256 amount, uint256 reserved);
    event WithdrawalRequested(address indexed account, uint256 amount, uint40 unlockAt);
    event WithdrawalCancelled(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, address indexed receiver, uint256 amount);
    event Slashed(address indexed account, uint256 amount, uint256 bounty, address indexed reporter);
    event DemandOpened(address indexed account, uint32 openDemands);
    event DemandClosed(address indexed account, uint32 openDemands);
    event BountySet(uint16 bountyBps);
    event BountyCollected(address indexed reporter, address indexed receiver, uint256 amount);

    error StakeManager_ZeroAmount();
    error StakeManager_ZeroAddress();
    error StakeManager_DepositTooLarge(address account, uint128 active, uint128 amount);
    error StakeManager_BadBounty(uint16 bountyBps, uint16 limit);
    error StakeManager_UnbondingTooShort(uint40 unbonding, uint256 needed);
    error StakeManager_OverRelease(address account, uint128 reserved, uint128 amount);
    error StakeManager_NothingToCollect(address reporter);
    error StakeManager_NoDemand(address account);
    error StakeManager_NotReserver(address caller);
    error StakeManager_NotFraudProofs(address caller);
    error StakeManager_InsufficientStake(address account, uint256 free, uint256 needed);
    error StakeManager_WithdrawalPending(address account, uint40 unlockAt);
    error StakeManager_NoWithdrawal(address account);
    error StakeManager_StillLocked(address account, uint40 unlockAt, uint256 timestamp);
    error StakeManager_DemandOpen(address account, uint32 openDemands);

    /// @notice Adds to the active stake of `account`, paid by the caller. Changes nothing for a pending withdrawal.
    function deposit(address account, uint128 amount) external;

    /// @notice As `deposit`, with an ERC-2612 permit. A permit spent by somebody else first does no harm.
    function depositWithPermit(
        address account,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Moves free active stake to pending; it can be withdrawn after the unbonding period.
    function requestWithdrawal(uint128 amount) external;

    /// @notice Moves the pending stake back to active.
    function cancelWithdrawal() external;

    /// @notice Pays the matured pending stake to `receiver`. Not while a demand is open against the account.
    function withdraw(address receiver) external returns (uint256 amount);

    /// @notice Reserves stake for a device or a seat. Callable by DeviceRegistry and ValidatorSet.
    function reserve(address account, uint128 amount) external;

    /// @notice Gives back what `reserve` took. Callable by DeviceRegistry and ValidatorSet.
    function release(address account, uint128 amount) external;

    /// @notice Takes up to `amount`, first from active, then from pending; the bounty is credited to `reporter`,
    /// the rest burned. Callable by FraudProofs. Never takes more than there is.
    function slash(address account, uint128 amount, address reporter) external returns (uint256 taken, uint256 bounty);

    /// @notice Blocks withdrawals while a demand is open. Callable by FraudProofs.
    function openDemand(address account) external;

    /// @notice Ends what `openDemand` began. Callable by FraudProofs.
    function closeDemand(address account) external;

    /// @notice Pays the caller's collected bounties to `receiver`.
    function collectBounty(address receiver) external returns (uint256 amount);

    function account(address who) external view returns (Account memory);

    /// @notice Active stake that nothing has reserved.
    function freeStake(address who) external view returns (uint256);

    function bountyOf(address reporter) external view returns (uint256);

    function unbondingPeriod() external view returns (uint40);
}
