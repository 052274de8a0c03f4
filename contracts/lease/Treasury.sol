// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {PausableEntry} from "../governance/PausableEntry.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";

/// @title Tokens taken and given, and what is owed in each
/// @dev `owed` is one aggregate a token, so that solvency is a single comparison: balance >= owed.
abstract contract Treasury is ILeaseEscrow, PausableEntry {
    using SafeERC20 for IERC20;

    struct Listing {
        address token; // slot 0
        bool allowed;
        uint88 feeFloor; // the least fee of a lease, fixed when the token is first listed
    }

    struct Balance {
        uint128 owed; // slot 0: all that somebody is due, fees included
        uint128 fees;
    }

    struct TokenTerms {
        address token;
        uint128 feeFloor;
    }

    uint16 public constant MAX_FEE_BPS = 500;

    /// @notice Fee of leases opened from now on.
    uint16 public feeBps;

    /// @dev Index 0 stays empty; a lease keeps its token's index.
    Listing[] private listings;
    mapping(address token => uint16) private indexOf;
    mapping(address token => Balance) private balances;

    constructor(uint16 feeBps_, TokenTerms[] memory tokens) {
        listings.push();
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
        listings[indexOf[token]].allowed = false;
        emit TokenDelisted(token);
    }

    /// @notice Sets the fee of leases to come. Governance only.
    function setFee(uint16 feeBps_) external restricted {
        _setFee(feeBps_);
    }

    /// @notice Pays out collected fees. Governance only.
    function collectFees(address token, address receiver) external restricted returns (uint256 amount) {
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
        amount = balances[token].fees;
        balances[token].fees = 0;
        emit FeesCollected(token, receiver, amount);
        _pay(token, receiver, amount);
    }

    /// @notice Pays out what nobody is owed: donations, and what a rebase added. Governance only.
    function recoverSurplus(address token, address receiver) external restricted returns (uint256 amount) {
        if (receiver == address(0)) revert LeaseEscrow_ZeroReceiver();
        uint256 balance = IERC20(token).balanceOf(address(this));
        if (balance <= owed(token)) revert LeaseEscrow_NoSurplus(token);
        amount = balance - owed(token);
        emit SurplusRecovered(token, receiver, amount);
        IERC20(token).safeTransfer(receiver, amount);
    }

    /// @inheritdoc ILeaseEscrow
    function owed(address token) public view returns (uint256) {
        return balances[token].owed;
    }

    /// @notice Fees collected in a token and not yet paid out; part of what is owed.
    function fees(address token) external view returns (uint256) {
        return balances[token].fees;
    }

    function tokenAllowed(address token) public view returns (bool) {
        return listings[indexOf[token]].allowed;
    }

    function feeFloorOf(address token) external view returns (uint128) {
        return listings[indexOf[token]].feeFloor;
    }

    function _allowedIndex(address token) internal view returns (uint16 index) {
        index = indexOf[token];
        if (!listings[index].allowed) revert LeaseEscrow_TokenNotAllowed(token);
    }

    function _tokenAt(uint16 index) internal view returns (address) {
        return listings[index].token;
    }

    function _feeFloorAt(uint16 index) internal view returns (uint256) {
        return listings[index].feeFloor;
    }

    /// @dev Takes exactly `amount`, or nothing at all.
    function _take(address token, address from, uint256 amount) internal {
        balances[token].owed += uint128(amount);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert LeaseEscrow_TokenShort(token, received, amount);
    }

    function _pay(address token, address receiver, uint256 amount) internal {
        balances[token].owed -= uint128(amount);
        IERC20(token).safeTransfer(receiver, amount);
    }

    function _earnFee(address token, uint256 amount) internal {
        if (amount != 0) balances[token].fees += uint128(amount);
    }

    function _list(address token, uint128 feeFloor) private {
        if (token.code.length == 0) revert LeaseEscrow_TokenNotAllowed(token);
        if (feeFloor > type(uint88).max) revert LeaseEscrow_BadBound("feeFloor", feeFloor, type(uint88).max);
        uint16 index = indexOf[token];
        if (listings[index].allowed) revert LeaseEscrow_AlreadyListed(token);
        if (index == 0) {
            indexOf[token] = uint16(listings.length);
            listings.push(Listing(token, true, uint88(feeFloor)));
        } else {
            listings[index].allowed = true;
            feeFloor = listings[index].feeFloor;
        }
        emit TokenListed(token, feeFloor);
    }

    function _setFee(uint16 feeBps_) private {
        if (feeBps_ > MAX_FEE_BPS) revert LeaseEscrow_BadBound("feeBps", feeBps_, MAX_FEE_BPS);
        feeBps = feeBps_;
        emit FeeSet(feeBps_);
    }
}
