// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Stakes of providers and validators
/// @notice One account has one stake. Devices and seats reserve parts of it; only a checked proof slashes it, and what it
/// slashes is held for a while before it is paid and burned.
/// @dev `active >= reserved` always. A slash takes what its own device or seat had reserved, which the caller has released
/// before, and never more than is free: no fault reaches what backs another device or seat. So stake that was asked back
/// backs nothing, and no slash needs to reach it: what a fault can still claim is reserved and cannot be asked back.
interface IStakeManager {
    /// @notice What an account has put down.
    /// @param active backs what is reserved
    /// @param reserved by devices and seats; never more than active
    /// @param pending asked back
    /// @param unlockAt when pending can be withdrawn; zero where nothing is pending
    struct Account {
        uint128 active; // slot 0
        uint128 reserved;
        uint128 pending; // slot 1
        uint40 unlockAt;
    }

    /// @notice Where a slash stands. It ends as settled or as restored, once.
    enum HeldStatus {
        None,
        Held,
        Settled,
        Restored
    }

    /// @notice Stake that was slashed and is neither paid nor burned yet.
    /// @param owner whose stake it was
    /// @param heldUntil from here on it can be settled
    /// @param status where it stands
    /// @param reporter who is to have the bounty
    /// @param amount the bounty is in it
    /// @param bounty the reporter's part, at the rate in force when it was slashed
    struct HeldSlash {
        address owner;
        uint40 heldUntil;
        HeldStatus status;
        address reporter;
        uint128 amount;
        uint128 bounty;
    }

    /// @notice Stake was added.
    /// @param account whose stake it is
    /// @param from who paid
    /// @param amount in the token's base units
    event Deposited(address indexed account, address indexed from, uint256 amount);

    /// @notice A device or a seat reserved stake.
    /// @param account whose stake it is
    /// @param amount that was reserved now
    /// @param reserved in all from now on
    event Reserved(address indexed account, uint256 amount, uint256 reserved);

    /// @notice A device or a seat gave back what it had reserved.
    /// @param account whose stake it is
    /// @param amount that was given back
    /// @param reserved in all from now on
    event Released(address indexed account, uint256 amount, uint256 reserved);

    /// @notice Stake was asked back.
    /// @param account whose stake it is
    /// @param amount that was asked back
    /// @param unlockAt when it can be withdrawn
    event WithdrawalRequested(address indexed account, uint256 amount, uint40 unlockAt);

    /// @notice Stake that was asked back is active again.
    /// @param account whose stake it is
    /// @param amount that went back to active
    event WithdrawalCancelled(address indexed account, uint256 amount);

    /// @notice Stake was paid out.
    /// @param account whose stake it was
    /// @param receiver who got it
    /// @param amount in the token's base units
    event Withdrawn(address indexed account, address indexed receiver, uint256 amount);

    /// @notice Stake was slashed and is on hold.
    /// @param heldId number of the slash, from 1
    /// @param owner whose stake it was
    /// @param amount slashed, the bounty in it
    /// @param bounty the reporter's part
    /// @param reporter who proved the fault
    /// @param heldUntil when it can be settled
    event SlashHeld(
        uint256 indexed heldId,
        address indexed owner,
        uint256 amount,
        uint256 bounty,
        address indexed reporter,
        uint40 heldUntil
    );

    /// @notice A slash is final: the bounty is the reporter's to collect, the rest burned.
    /// @param heldId number of the slash
    /// @param reporter who proved the fault
    /// @param bounty credited
    /// @param burned the rest
    event SlashSettled(uint256 indexed heldId, address indexed reporter, uint256 bounty, uint256 burned);

    /// @notice Governance gave slashed stake back.
    /// @param heldId number of the slash
    /// @param owner whose active stake it is again
    /// @param amount all that was slashed
    event SlashRestored(uint256 indexed heldId, address indexed owner, uint256 amount);

    /// @notice The reporter's share of slashes to come was set.
    /// @param bountyBps in hundredths of a percent
    event BountySet(uint16 bountyBps);

    /// @notice Bounties were paid out.
    /// @param reporter who had earned them
    /// @param receiver who got them
    /// @param amount in the token's base units
    event BountyCollected(address indexed reporter, address indexed receiver, uint256 amount);

    /// @notice An amount of zero.
    error StakeManager_ZeroAmount();

    /// @notice A zero account or receiver.
    error StakeManager_ZeroAddress();

    /// @notice The account's active stake would not fit.
    /// @param account whose stake it is
    /// @param active stake it has
    /// @param amount that was to be added
    error StakeManager_DepositTooLarge(address account, uint128 active, uint128 amount);

    /// @notice A bounty above the limit in code.
    /// @param bountyBps that was to be set
    /// @param limit the most that can be
    error StakeManager_BadBounty(uint16 bountyBps, uint16 limit);

    /// @notice An unbonding period that does not outlast all deadlines of an epoch, its proof window and the answer window.
    /// @param unbonding that was to be set
    /// @param needed it must be longer than this
    error StakeManager_UnbondingTooShort(uint40 unbonding, uint256 needed);

    /// @notice A hold that does not outlast the timelock's longest delay, within which a slash can be given back.
    /// @param slashHold that was to be set
    /// @param needed it must be longer than this
    error StakeManager_HoldTooShort(uint40 slashHold, uint256 needed);

    /// @notice A token that could grow beyond what slashes are stored in.
    /// @param cap of the token
    /// @param limit the most it can be
    error StakeManager_CapTooLarge(uint256 cap, uint256 limit);

    /// @notice More was to be released than is reserved.
    /// @param account whose stake it is
    /// @param reserved in all
    /// @param amount that was to be released
    error StakeManager_OverRelease(address account, uint128 reserved, uint128 amount);

    /// @notice No bounty to collect.
    /// @param reporter who called
    error StakeManager_NothingToCollect(address reporter);

    /// @notice Only DeviceRegistry and ValidatorSet reserve and release.
    /// @param caller who called
    error StakeManager_NotReserver(address caller);

    /// @notice Only FraudProofs slashes.
    /// @param caller who called
    error StakeManager_NotFraudProofs(address caller);

    /// @notice Less stake is free than is needed.
    /// @param account whose stake it is
    /// @param free active stake that nothing has reserved
    /// @param needed to be reserved, asked back, or slashed
    error StakeManager_InsufficientStake(address account, uint256 free, uint256 needed);

    /// @notice A withdrawal is under way; there is one at a time.
    /// @param account whose stake it is
    /// @param unlockAt when the pending one can be withdrawn
    error StakeManager_WithdrawalPending(address account, uint40 unlockAt);

    /// @notice Nothing was asked back.
    /// @param account whose stake it is
    error StakeManager_NoWithdrawal(address account);

    /// @notice The unbonding period is not over.
    /// @param account whose stake it is
    /// @param unlockAt when it is
    /// @param timestamp now
    error StakeManager_StillLocked(address account, uint40 unlockAt, uint256 timestamp);

    /// @notice No slash of this number, or it was settled or restored before.
    /// @param heldId number of the slash
    /// @param status where it stands
    error StakeManager_NotHeld(uint256 heldId, HeldStatus status);

    /// @notice The slash is still on hold.
    /// @param heldId number of the slash
    /// @param heldUntil when it can be settled
    /// @param timestamp now
    error StakeManager_StillHeld(uint256 heldId, uint40 heldUntil, uint256 timestamp);

    /// @notice Adds to the active stake of `who`, paid by the caller. Changes nothing for a pending withdrawal.
    /// @param who whose stake it becomes
    /// @param amount in the token's base units
    function deposit(address who, uint128 amount) external;

    /// @notice As `deposit`, with an ERC-2612 permit. A permit spent by somebody else first does no harm.
    /// @param who whose stake it becomes
    /// @param amount in the token's base units
    /// @param deadline of the permit
    /// @param v of the permit's signature
    /// @param r of the permit's signature
    /// @param s of the permit's signature
    function depositWithPermit(address who, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Moves free active stake of the caller to pending; it can be withdrawn after the unbonding period.
    /// @param amount in the token's base units
    function requestWithdrawal(uint128 amount) external;

    /// @notice Moves the caller's pending stake back to active.
    function cancelWithdrawal() external;

    /// @notice Pays the caller's matured pending stake.
    /// @param receiver who gets it
    /// @return amount in the token's base units
    function withdraw(address receiver) external returns (uint256 amount);

    /// @notice Reserves stake for a device or a seat. Callable by DeviceRegistry and ValidatorSet.
    /// @param who whose stake it is
    /// @param amount no more than is free
    function reserve(address who, uint128 amount) external;

    /// @notice Gives back what `reserve` took. Callable by DeviceRegistry and ValidatorSet.
    /// @param who whose stake it is
    /// @param amount no more than is reserved
    function release(address who, uint128 amount) external;

    /// @notice Takes `amount` from the free stake of `owner` and holds it. Callable by FraudProofs, which has had it
    /// released from the reservation of what was at fault; reverts where less is free.
    /// @param owner whose stake it is
    /// @param amount what the device or the seat had reserved
    /// @param reporter who proved the fault
    /// @return heldId number of the slash, from 1
    function slash(address owner, uint128 amount, address reporter) external returns (uint256 heldId);

    /// @notice Makes a slash final once its hold is over: credits the bounty and burns the rest. Anyone.
    /// @param heldId number of the slash
    function settleSlash(uint256 heldId) external;

    /// @notice Gives a slash that is not settled back to the active stake of its owner, and to nobody else. Governance only:
    /// a fault in a verifier must not be final. What was marked as slashed stays so.
    /// @param heldId number of the slash
    function restoreSlash(uint256 heldId) external;

    /// @notice Pays the caller's bounties of settled slashes.
    /// @param receiver who gets them
    /// @return amount in the token's base units
    function collectBounty(address receiver) external returns (uint256 amount);

    /// @notice Sets the reporter's share of slashes to come; slashes on hold keep theirs. Governance only.
    /// @param bountyBps in hundredths of a percent, at most ten percent
    function setBounty(uint16 bountyBps) external;

    /// @notice What an account has put down; zeros for an unknown one.
    /// @param who the account
    /// @return stakes of the account
    function account(address who) external view returns (Account memory stakes);

    /// @notice Active stake that nothing has reserved.
    /// @param who the account
    /// @return amount in the token's base units
    function freeStake(address who) external view returns (uint256 amount);

    /// @notice What a reporter can collect.
    /// @param reporter the account
    /// @return amount in the token's base units
    function bountyOf(address reporter) external view returns (uint256 amount);

    /// @notice One slash, on hold or past; zeros for an unknown number.
    /// @param heldId number of the slash
    /// @return held what it is and where it stands
    function heldSlash(uint256 heldId) external view returns (HeldSlash memory held);

    /// @notice Number of slashes so far; they count from 1.
    /// @return count of them
    function heldSlashCount() external view returns (uint256 count);

    /// @notice Seconds between asking stake back and withdrawing it.
    /// @return period in seconds
    function unbondingPeriod() external view returns (uint40 period);

    /// @notice Seconds for which a slash is held.
    /// @return period in seconds
    function slashHold() external view returns (uint40 period);

    /// @notice The reporter's share of slashes to come.
    /// @return bps in hundredths of a percent
    function bountyBps() external view returns (uint16 bps);
}
