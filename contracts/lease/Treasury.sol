// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {PausableEntry} from "../governance/PausableEntry.sol";
import {ITreasury} from "../interfaces/ITreasury.sol";
import {TokenMoves} from "../libraries/TokenMoves.sol";
import {BondCredits} from "./BondCredits.sol";

/// @title Tokens taken and given, and what is owed in each
/// @dev `owed` is one aggregate a token, so that solvency is a single comparison: balance >= owed. A guard is over whatever
/// moves tokens.
abstract contract Treasury is ITreasury, PausableEntry, ReentrancyGuardTransient {
    using BondCredits for BondCredits.Credit;

    struct Listing {
        address token; // slot 0
        uint96 feeFloor; // the least fee of a lease, fixed when the token is first listed
    }

    struct Account {
        uint128 owed; // slot 0: all that somebody is due, credits and fees included; room for 2^32 of the largest deposits
        uint112 fees;
        uint8 index; // of its listing
        bool allowed;
    }

    uint16 public constant MAX_FEE_BPS = 500;

    uint8 private listed;
    /// @dev A lease keeps its token's index, counted from 1.
    mapping(uint256 index => Listing) private listings;
    mapping(address token => Account) private accounts;
    mapping(address provider => mapping(address token => BondCredits.Credit)) private credits;

    /// @inheritdoc ITreasury
    uint16 public feeBps; // in one slot with LeaseEscrow's leaseCount: `open` reads both

    constructor(uint16 feeBps_, TokenTerms[] memory tokens) {
        _setFee(feeBps_);
        for (uint256 i = 0; i < tokens.length; ++i) _list(tokens[i].token, tokens[i].feeFloor);
    }

    /// @inheritdoc ITreasury
    function listToken(address token, uint96 feeFloor) external restricted {
        _list(token, feeFloor);
    }

    /// @inheritdoc ITreasury
    function delistToken(address token) external restricted {
        _checkAllowed(token);
        accounts[token].allowed = false;
        emit TokenDelisted(token);
    }

    /// @inheritdoc ITreasury
    function setFee(uint16 feeBps_) external restricted {
        _setFee(feeBps_);
    }

    /// @inheritdoc ITreasury
    function collectFees(address token, address receiver) external restricted nonReentrant returns (uint256 amount) {
        // checks
        _checkNamed(receiver);
        // effects
        Account storage a = accounts[token];
        amount = a.fees;
        a.fees = 0;
        emit FeesCollected(token, receiver, amount);
        // interactions
        _pay(token, receiver, amount);
    }

    /// @inheritdoc ITreasury
    function recoverSurplus(address token, address receiver) external restricted nonReentrant returns (uint256 amount) {
        _checkNamed(receiver);
        uint256 owed_ = accounts[token].owed;
        amount = TokenMoves.held(token);
        if (amount <= owed_) revert LeaseEscrow_NoSurplus(token);
        amount -= owed_;
        emit SurplusRecovered(token, receiver, amount);
        TokenMoves.push(token, receiver, amount);
    }

    /// @inheritdoc ITreasury
    function fillBondCredit(address token, uint96 amount) external nonReentrant {
        // checks
        _checkAllowed(token);
        _checkSome(amount);
        BondCredits.Credit storage c = credits[msg.sender][token];
        uint256 credit = uint256(c.amount) + amount;
        if (credit > type(uint96).max) revert LeaseEscrow_CreditTooLarge(credit, type(uint96).max);
        // effects
        c.amount = uint96(credit);
        emit BondCreditFilled(msg.sender, token, amount, uint96(credit));
        // interactions
        _take(token, msg.sender, amount);
    }

    /// @inheritdoc ITreasury
    function drainBondCredit(address token, uint96 amount, address receiver) external nonReentrant {
        // checks
        _checkNamed(receiver);
        _checkSome(amount);
        BondCredits.Credit storage c = credits[msg.sender][token];
        uint256 credit = c.amount;
        if (amount > credit) revert LeaseEscrow_CreditTooSmall(msg.sender, token, credit, uint256(amount));
        // effects
        credit -= amount;
        c.amount = uint96(credit);
        emit BondCreditDrained(msg.sender, token, receiver, amount, uint96(credit));
        // interactions
        _pay(token, receiver, amount);
    }

    /// @inheritdoc ITreasury
    function setBondLimit(address token, uint96 perDay) external {
        credits[msg.sender][token].perDay = perDay;
        emit BondLimitSet(msg.sender, token, perDay);
    }

    /// @inheritdoc ITreasury
    function bondCredit(
        address provider,
        address token
    ) external view returns (uint96 amount, uint96 perDay, uint96 leftToday) {
        BondCredits.Credit storage c = credits[provider][token];
        return (c.amount, c.perDay, uint96(c.left()));
    }

    /// @inheritdoc ITreasury
    function owed(address token) external view returns (uint256) {
        return accounts[token].owed;
    }

    /// @inheritdoc ITreasury
    function fees(address token) external view returns (uint256) {
        return accounts[token].fees;
    }

    /// @inheritdoc ITreasury
    function tokenAllowed(address token) external view returns (bool) {
        return accounts[token].allowed;
    }

    /// @inheritdoc ITreasury
    function feeFloorOf(address token) external view returns (uint96) {
        return listings[accounts[token].index].feeFloor;
    }

    /// @dev A payout has a receiver.
    function _checkNamed(address receiver) internal pure {
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
    }

    /// @dev An amount is of something.
    function _checkSome(uint256 amount) internal pure {
        if (amount == 0) revert LeaseEscrow_ZeroAmount();
    }

    function _checkAllowed(address token) internal view returns (uint8 index) {
        Account storage a = accounts[token];
        if (!a.allowed) revert LeaseEscrow_TokenNotAllowed(token);
        return a.index;
    }

    function _tokenAt(uint8 index) internal view returns (address) {
        return listings[index].token;
    }

    function _listingAt(uint8 index) internal view returns (address token, uint256 feeFloor) {
        Listing storage l = listings[index];
        return (l.token, l.feeFloor);
    }

    /// @dev Takes exactly `amount`, or nothing at all.
    function _take(address token, address from, uint256 amount) internal {
        accounts[token].owed += uint128(amount);
        uint256 before = TokenMoves.held(token);
        TokenMoves.pull(token, from, amount);
        uint256 after_ = TokenMoves.held(token);
        if (after_ != before + amount) revert LeaseEscrow_TokenShort(token, before, after_, amount);
    }

    function _pay(address token, address receiver, uint256 amount) internal {
        accounts[token].owed -= uint128(amount);
        TokenMoves.push(token, receiver, amount);
    }

    /// @dev What was owed to a side is the network's from now on.
    function _earnFee(address token, uint256 amount) internal {
        if (amount != 0) accounts[token].fees += uint112(amount);
    }

    /// @dev What was owed to the provider as credit is owed as a lease's bond from now on.
    function _useCredit(address provider, address token, uint256 leaseId, uint256 amount) internal {
        uint256 credit = credits[provider][token].take(provider, token, amount);
        emit BondCreditUsed(provider, token, leaseId, uint96(amount), uint96(credit));
    }

    function _list(address token, uint96 feeFloor) private {
        if (token.code.length == 0 || listed == type(uint8).max) revert LeaseEscrow_TokenNotAllowed(token);
        Account storage a = accounts[token];
        if (a.allowed) revert LeaseEscrow_AlreadyListed(token);
        uint8 index = a.index;
        if (index == 0) {
            index = ++listed;
            a.index = index;
            listings[index].token = token;
            listings[index].feeFloor = feeFloor;
        }
        a.allowed = true;
        feeFloor = listings[index].feeFloor;
        emit TokenListed(token, feeFloor);
    }

    function _setFee(uint16 feeBps_) private {
        if (feeBps_ > MAX_FEE_BPS) revert LeaseEscrow_BadBound("feeBps", feeBps_, MAX_FEE_BPS);
        feeBps = feeBps_;
        emit FeeSet(feeBps_);
    }
}
