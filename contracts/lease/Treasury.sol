// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PausableEntry} from "../governance/PausableEntry.sol";
import {IFormerEscrow} from "../interfaces/IFormerEscrow.sol";
import {TokenMoves} from "../libraries/TokenMoves.sol";

/// @title Tokens taken and given, and what is owed in each
/// @dev `owed` is one aggregate a token, so that solvency is a single comparison: balance >= owed.
abstract contract Treasury is IFormerEscrow, PausableEntry {
    struct Listing {
        address token; // slot 0
        uint88 feeFloor; // the least fee of a lease, fixed when the token is first listed
    }

    struct Account {
        uint112 owed; // slot 0: all that somebody is due, fees included
        uint112 fees;
        uint16 index; // of its listing
        bool allowed;
    }

    struct TokenTerms {
        address token;
        uint128 feeFloor;
    }

    uint16 public constant MAX_FEE_BPS = 500;

    uint16 private listed;
    /// @dev A lease keeps its token's index, counted from 1.
    mapping(uint256 index => Listing) private listings;
    mapping(address token => Account) private accounts;

    /// @notice Fee of leases opened from now on.
    uint16 public feeBps; // in one slot with LeaseBook's leaseCount: `open` reads both

    constructor(uint16 feeBps_, TokenTerms[] memory tokens) {
        _setFee(feeBps_);
        for (uint256 i = 0; i < tokens.length; ++i) _list(tokens[i].token, tokens[i].feeFloor);
    }

    /// @notice Allows new leases in a token. A token listed before keeps its fee floor. Governance only.
    function listToken(address token, uint128 feeFloor) external restricted {
        _list(token, feeFloor);
    }

    /// @notice Closes entry in a token; leases that exist go on. Governance only.
    function delistToken(address token) external restricted {
        if (!tokenAllowed(token)) revert LeaseEscrow_TokenNotAllowed(token);
        accounts[token].allowed = false;
        emit TokenDelisted(token);
    }

    /// @notice Sets the fee of leases to come. Governance only.
    function setFee(uint16 feeBps_) external restricted {
        _setFee(feeBps_);
    }

    /// @notice Pays out collected fees. Governance only.
    function collectFees(address token, address receiver) external restricted returns (uint256 amount) {
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
        amount = accounts[token].fees;
        accounts[token].fees = 0;
        emit FeesCollected(token, receiver, amount);
        _pay(token, receiver, amount);
    }

    /// @notice Pays out what nobody is owed: donations, and what a rebase added. Governance only.
    function recoverSurplus(address token, address receiver) external restricted returns (uint256 amount) {
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
        uint256 balance = TokenMoves.held(token);
        if (balance <= owed(token)) revert LeaseEscrow_NoSurplus(token);
        amount = balance - owed(token);
        emit SurplusRecovered(token, receiver, amount);
        TokenMoves.push(token, receiver, amount);
    }

    /// @inheritdoc IFormerEscrow
    function owed(address token) public view returns (uint256) {
        return accounts[token].owed;
    }

    /// @notice Fees collected in a token and not yet paid out; part of what is owed.
    function fees(address token) external view returns (uint256) {
        return accounts[token].fees;
    }

    function tokenAllowed(address token) public view returns (bool) {
        return accounts[token].allowed;
    }

    function feeFloorOf(address token) external view returns (uint128) {
        return listings[accounts[token].index].feeFloor;
    }

    function _allowedIndex(address token) internal view returns (uint16 index) {
        Account storage a = accounts[token];
        if (!a.allowed) revert LeaseEscrow_TokenNotAllowed(token);
        return a.index;
    }

    function _tokenAt(uint16 index) internal view returns (address) {
        return listings[index].token;
    }

    function _feeFloorAt(uint16 index) internal view returns (uint256) {
        return listings[index].feeFloor;
    }

    /// @dev Takes exactly `amount`, or nothing at all. What is owed has room for more than any token has: only entry is bounded
    /// by it, and fees are part of it.
    function _take(address token, address from, uint256 amount) internal {
        Account storage a = accounts[token];
        uint256 owed_ = a.owed + amount;
        if (owed_ > type(uint112).max) revert LeaseEscrow_BadBound("owed", owed_, type(uint112).max);
        a.owed = uint112(owed_);
        uint256 before = TokenMoves.held(token);
        TokenMoves.pull(token, from, amount);
        uint256 after_ = TokenMoves.held(token);
        if (after_ != before + amount) revert LeaseEscrow_TokenShort(token, before, after_, amount);
    }

    function _pay(address token, address receiver, uint256 amount) internal {
        accounts[token].owed -= uint112(amount);
        TokenMoves.push(token, receiver, amount);
    }

    function _earnFee(address token, uint256 amount) internal {
        if (amount != 0) accounts[token].fees += uint112(amount);
    }

    function _list(address token, uint128 feeFloor) private {
        if (token.code.length == 0) revert LeaseEscrow_TokenNotAllowed(token);
        if (feeFloor > type(uint88).max) revert LeaseEscrow_BadBound("feeFloor", feeFloor, type(uint88).max);
        Account storage a = accounts[token];
        if (a.allowed) revert LeaseEscrow_AlreadyListed(token);
        a.allowed = true;
        if (a.index == 0) {
            a.index = ++listed;
            listings[a.index] = Listing(token, uint88(feeFloor));
        } else {
            feeFloor = listings[a.index].feeFloor;
        }
        emit TokenListed(token, feeFloor);
    }

    function _setFee(uint16 feeBps_) private {
        if (feeBps_ > MAX_FEE_BPS) revert LeaseEscrow_BadBound("feeBps", feeBps_, MAX_FEE_BPS);
        feeBps = feeBps_;
        emit FeeSet(feeBps_);
    }
}
