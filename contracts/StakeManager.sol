// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {NetworkToken} from "./NetworkToken.sol";
import {IEpochOracle} from "./interfaces/IEpochOracle.sol";
import {IStakeManager} from "./interfaces/IStakeManager.sol";

/// @title Stakes of providers and validators
/// @dev The token is the network's own, which neither charges fees nor calls back; still, effects come before interactions.
contract StakeManager is IStakeManager, AccessManaged {
    using SafeERC20 for IERC20;

    uint16 public constant MAX_BOUNTY_BPS = 1_000;

    NetworkToken public immutable token;
    address public immutable deviceRegistry;
    address public immutable validatorSet;
    address public immutable fraudProofs;
    uint40 public immutable unbondingPeriod;

    /// @notice Share of a slash that the reporter gets; the rest is burned.
    uint16 public bountyBps;

    mapping(address account => Account) private accounts;
    mapping(address reporter => uint256) public bountyOf;

    modifier onlyReserver() {
        if (msg.sender != deviceRegistry && msg.sender != validatorSet) revert StakeManager_NotReserver(msg.sender);
        _;
    }

    modifier onlyFraudProofs() {
        if (msg.sender != fraudProofs) revert StakeManager_NotFraudProofs(msg.sender);
        _;
    }

    /// @param answerWindow that of FraudProofs, in seconds.
    constructor(
        address authority,
        NetworkToken token_,
        address deviceRegistry_,
        address validatorSet_,
        address fraudProofs_,
        IEpochOracle oracle,
        uint40 answerWindow,
        uint40 unbondingPeriod_,
        uint16 bountyBps_
    ) AccessManaged(authority) {
        IEpochOracle.Timing memory t = oracle.timing();
        // A fault of the last second of an epoch must still find the stake when the last proof or demand runs out.
        uint256 needed = uint256(t.epochLength) +
            t.openBy +
            t.sealBy +
            t.drawBy +
            t.reportBy +
            t.proofWindow +
            answerWindow;
        if (unbondingPeriod_ <= needed) revert StakeManager_UnbondingTooShort(unbondingPeriod_, needed);
        token = token_;
        deviceRegistry = deviceRegistry_;
        validatorSet = validatorSet_;
        fraudProofs = fraudProofs_;
        unbondingPeriod = unbondingPeriod_;
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
        if (a.openDemands != 0) revert StakeManager_DemandOpen(msg.sender, a.openDemands);
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
    function slash(
        address who,
        uint128 amount,
        address reporter
    ) external onlyFraudProofs returns (uint256 taken, uint256 bounty) {
        Account storage a = accounts[who];
        uint128 fromActive = amount < a.active ? amount : a.active;
        uint128 rest = amount - fromActive;
        uint128 fromPending = rest < a.pending ? rest : a.pending;
        a.active -= fromActive;
        a.pending -= fromPending;
        taken = uint256(fromActive) + fromPending;
        // Rounded down, so that whoever reports himself never loses less than the burned share.
        bounty = (taken * bountyBps) / 10_000;
        bountyOf[reporter] += bounty;
        emit Slashed(who, taken, bounty, reporter);
        token.burn(taken - bounty);
    }

    /// @inheritdoc IStakeManager
    function openDemand(address who) external onlyFraudProofs {
        uint32 open = ++accounts[who].openDemands;
        emit DemandOpened(who, open);
    }

    /// @inheritdoc IStakeManager
    function closeDemand(address who) external onlyFraudProofs {
        Account storage a = accounts[who];
        if (a.openDemands == 0) revert StakeManager_NoDemand(who);
        emit DemandClosed(who, --a.openDemands);
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

    /// @notice Sets the reporter's share of slashes to come. Governance only.
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

    function _deposit(address who, uint128 amount) private {
        if (amount == 0) revert StakeManager_ZeroAmount();
        if (who == address(0)) revert StakeManager_ZeroAddress();
        Account storage a = accounts[who];
        if (amount > type(uint128).max - a.active) revert StakeManager_DepositTooLarge(who, a.active, amount);
        a.active += amount;
        emit Deposited(who, msg.sender, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @dev A slash can leave less than what is reserved; then nothing is free.
    function _free(Account storage a) private view returns (uint256) {
        return a.active > a.reserved ? a.active - a.reserved : 0;
    }

    function _setBounty(uint16 bountyBps_) private {
        if (bountyBps_ > MAX_BOUNTY_BPS) revert StakeManager_BadBounty(bountyBps_, MAX_BOUNTY_BPS);
        bountyBps = bountyBps_;
        emit BountySet(bountyBps_);
    }
}
