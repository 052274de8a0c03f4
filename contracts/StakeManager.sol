// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {NetworkToken} from "./NetworkToken.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";
import {ITimelock} from "./interfaces/ITimelock.sol";

/// @title Stakes of providers and validators
/// @dev The token is the network's own, which neither charges fees nor calls back; still, effects come before interactions.
/// What the contract holds is the sum of all active and pending stake, of slashes on hold, and of bounties not collected.
contract StakeManager is IStakeManager, AccessManaged {
    using SafeERC20 for IERC20;

    /// @dev A slash as stored. No amount is beyond 96 bits, as the token's cap is not.
    struct PackedSlash {
        address owner; // slot 0
        uint40 heldUntil;
        HeldStatus status;
        uint16 bountyBps; // in force when it was slashed
        address reporter; // slot 1
        uint96 amount;
    }

    uint16 public constant MAX_BOUNTY_BPS = 1_000;

    NetworkToken public immutable token;
    address public immutable deviceRegistry;
    address public immutable validatorSet;
    address public immutable fraudProofs;

    /// @inheritdoc IStakeManager
    uint40 public immutable unbondingPeriod;

    /// @inheritdoc IStakeManager
    uint40 public immutable slashHold;

    /// @inheritdoc IStakeManager
    uint16 public bountyBps;

    /// @inheritdoc IStakeManager
    uint256 public heldSlashCount;

    mapping(address account => Account) private accounts;
    mapping(uint256 heldId => PackedSlash) private heldSlashes;

    /// @inheritdoc IStakeManager
    mapping(address reporter => uint256) public bountyOf;

    modifier onlyReserver() {
        if (msg.sender != deviceRegistry && msg.sender != validatorSet) revert StakeManager_NotReserver(msg.sender);
        _;
    }

    modifier onlyFraudProofs() {
        if (msg.sender != fraudProofs) revert StakeManager_NotFraudProofs(msg.sender);
        _;
    }

    /// @param authority who may change what
    /// @param token_ the network's token
    /// @param deviceRegistry_ reserves and releases for devices
    /// @param validatorSet_ reserves and releases for seats
    /// @param fraudProofs_ slashes
    /// @param oracle whose deadlines and proof window the unbonding period outlasts
    /// @param timelock whose longest delay the hold outlasts
    /// @param answerWindow that of OpeningDemands, in seconds
    /// @param unbondingPeriod_ seconds between asking stake back and withdrawing it
    /// @param slashHold_ seconds for which a slash is held
    /// @param bountyBps_ the reporter's share, in hundredths of a percent
    constructor(
        address authority,
        NetworkToken token_,
        address deviceRegistry_,
        address validatorSet_,
        address fraudProofs_,
        IEpochOracle oracle,
        ITimelock timelock,
        uint40 answerWindow,
        uint40 unbondingPeriod_,
        uint40 slashHold_,
        uint16 bountyBps_
    ) AccessManaged(authority) {
        IEpochOracle.Timing memory t = oracle.timing();
        uint256 cap = token_.cap();
        if (cap > type(uint96).max) revert StakeManager_CapTooLarge(cap, type(uint96).max);
        // What a fault can still take is reserved and cannot be asked back. Beside that, whoever leaves waits until the last
        // epoch in which it took part can no longer be proven against.
        uint256 needed = uint256(t.epochLength) +
            t.openBy +
            t.sealBy +
            t.drawBy +
            t.reportBy +
            t.proofWindow +
            answerWindow;
        if (unbondingPeriod_ <= needed) revert StakeManager_UnbondingTooShort(unbondingPeriod_, needed);
        // Within the hold governance must be able to give a slash back, whatever its delay will be by then.
        needed = timelock.longestDelay();
        if (slashHold_ <= needed) revert StakeManager_HoldTooShort(slashHold_, needed);
        token = token_;
        deviceRegistry = deviceRegistry_;
        validatorSet = validatorSet_;
        fraudProofs = fraudProofs_;
        unbondingPeriod = unbondingPeriod_;
        slashHold = slashHold_;
        _setBounty(bountyBps_);
    }

    /// @inheritdoc IStakeManager
    function deposit(address who, uint128 amount) external {
        _deposit(who, amount);
    }

    /// @inheritdoc IStakeManager
    function depositWithPermit(address who, uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // A permit that somebody else has spent has left its allowance behind.
        try token.permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(who, amount);
    }

    /// @inheritdoc IStakeManager
    function requestWithdrawal(uint128 amount) external {
        Account storage a = accounts[msg.sender];
        if (amount == 0) revert StakeManager_ZeroAmount();
        if (a.pending != 0) revert StakeManager_WithdrawalPending(msg.sender, a.unlockAt);
        uint256 free = _free(a);
        if (amount > free) revert StakeManager_InsufficientStake(msg.sender, free, amount);
        a.active -= amount;
        a.pending = amount;
        a.unlockAt = uint40(block.timestamp) + unbondingPeriod;
        emit WithdrawalRequested(msg.sender, amount, a.unlockAt);
    }

    /// @inheritdoc IStakeManager
    function cancelWithdrawal() external {
        Account storage a = accounts[msg.sender];
        uint128 amount = a.pending;
        if (amount == 0) revert StakeManager_NoWithdrawal(msg.sender);
        a.pending = 0;
        a.unlockAt = 0;
        a.active += amount;
        emit WithdrawalCancelled(msg.sender, amount);
    }

    /// @inheritdoc IStakeManager
    function withdraw(address receiver) external returns (uint256 amount) {
        if (receiver == address(0)) revert StakeManager_ZeroAddress();
        Account storage a = accounts[msg.sender];
        amount = a.pending;
        if (amount == 0) revert StakeManager_NoWithdrawal(msg.sender);
        if (block.timestamp < a.unlockAt) revert StakeManager_StillLocked(msg.sender, a.unlockAt, block.timestamp);
        a.pending = 0;
        a.unlockAt = 0;
        emit Withdrawn(msg.sender, receiver, amount);
        IERC20(token).safeTransfer(receiver, amount);
    }

    /// @inheritdoc IStakeManager
    function reserve(address who, uint128 amount) external onlyReserver {
        Account storage a = accounts[who];
        uint256 free = _free(a);
        if (amount > free) revert StakeManager_InsufficientStake(who, free, amount);
        a.reserved += amount;
        emit Reserved(who, amount, a.reserved);
    }

    /// @inheritdoc IStakeManager
    function release(address who, uint128 amount) external onlyReserver {
        Account storage a = accounts[who];
        if (amount > a.reserved) revert StakeManager_OverRelease(who, a.reserved, amount);
        a.reserved -= amount;
        emit Released(who, amount, a.reserved);
    }

    /// @inheritdoc IStakeManager
    function slash(address owner, uint128 amount, address reporter) external onlyFraudProofs returns (uint256 heldId) {
        if (amount == 0) revert StakeManager_ZeroAmount();
        Account storage a = accounts[owner];
        uint256 free = _free(a);
        if (amount > free) revert StakeManager_InsufficientStake(owner, free, amount);
        a.active -= amount;
        uint40 heldUntil = uint40(block.timestamp) + slashHold;
        heldId = ++heldSlashCount;
        heldSlashes[heldId] = PackedSlash({
            owner: owner,
            heldUntil: heldUntil,
            status: HeldStatus.Held,
            bountyBps: bountyBps,
            reporter: reporter,
            amount: uint96(amount)
        });
        emit SlashHeld(heldId, owner, amount, _bounty(amount, bountyBps), reporter, heldUntil);
    }

    /// @inheritdoc IStakeManager
    function settleSlash(uint256 heldId) external {
        PackedSlash storage h = _held(heldId);
        if (block.timestamp < h.heldUntil) revert StakeManager_StillHeld(heldId, h.heldUntil, block.timestamp);
        h.status = HeldStatus.Settled;
        uint256 bounty = _bounty(h.amount, h.bountyBps);
        uint256 burned = h.amount - bounty;
        bountyOf[h.reporter] += bounty;
        emit SlashSettled(heldId, h.reporter, bounty, burned);
        token.burn(burned);
    }

    /// @inheritdoc IStakeManager
    function restoreSlash(uint256 heldId) external restricted {
        PackedSlash storage h = _held(heldId);
        h.status = HeldStatus.Restored;
        accounts[h.owner].active += h.amount;
        emit SlashRestored(heldId, h.owner, h.amount);
    }

    /// @inheritdoc IStakeManager
    function collectBounty(address receiver) external returns (uint256 amount) {
        if (receiver == address(0)) revert StakeManager_ZeroAddress();
        amount = bountyOf[msg.sender];
        if (amount == 0) revert StakeManager_NothingToCollect(msg.sender);
        bountyOf[msg.sender] = 0;
        emit BountyCollected(msg.sender, receiver, amount);
        IERC20(token).safeTransfer(receiver, amount);
    }

    /// @inheritdoc IStakeManager
    function setBounty(uint16 bountyBps_) external restricted {
        _setBounty(bountyBps_);
    }

    /// @inheritdoc IStakeManager
    function account(address who) external view returns (Account memory) {
        return accounts[who];
    }

    /// @inheritdoc IStakeManager
    function freeStake(address who) external view returns (uint256) {
        return _free(accounts[who]);
    }

    /// @inheritdoc IStakeManager
    function heldSlash(uint256 heldId) external view returns (HeldSlash memory) {
        PackedSlash memory h = heldSlashes[heldId];
        return
            HeldSlash({
                owner: h.owner,
                heldUntil: h.heldUntil,
                status: h.status,
                reporter: h.reporter,
                amount: h.amount,
                bounty: uint128(_bounty(h.amount, h.bountyBps))
            });
    }

    function _deposit(address who, uint128 amount) private {
        if (amount == 0) revert StakeManager_ZeroAmount();
        if (who == address(0)) revert StakeManager_ZeroAddress();
        Account storage a = accounts[who];
        if (amount > type(uint128).max - a.active) revert StakeManager_DepositTooLarge(who, a.active, amount);
        a.active += amount;
        emit Deposited(who, msg.sender, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev Nothing lowers `active` below `reserved`: a request and a slash take from what is free only.
    function _free(Account storage a) private view returns (uint256) {
        return a.active - a.reserved;
    }

    function _held(uint256 heldId) private view returns (PackedSlash storage h) {
        h = heldSlashes[heldId];
        if (h.status != HeldStatus.Held) revert StakeManager_NotHeld(heldId, h.status);
    }

    function _setBounty(uint16 bountyBps_) private {
        if (bountyBps_ > MAX_BOUNTY_BPS) revert StakeManager_BadBounty(bountyBps_, MAX_BOUNTY_BPS);
        bountyBps = bountyBps_;
        emit BountySet(bountyBps_);
    }

    /// @dev Rounded down, so that whoever reports himself never loses less than the burned share.
    function _bounty(uint256 amount, uint16 bps) private pure returns (uint256) {
        return (amount * bps) / 10_000;
    }
}
