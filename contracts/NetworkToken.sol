// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The token of the network
/// @notice Staked, burned by slashes, and minted by the RewardsDistributor alone. What was ever minted never passes the cap.
contract NetworkToken is ERC20, ERC20Burnable, ERC20Permit {
    struct Allocation {
        address account;
        uint256 amount;
    }

    address public immutable minter;
    uint256 public immutable cap;

    /// @notice All that was ever minted, burned or not.
    uint256 public minted;

    error NetworkToken_NotMinter(address caller);
    error NetworkToken_CapExceeded(uint256 minted, uint256 cap);
    error NetworkToken_ZeroAddress();

    constructor(
        string memory name,
        string memory symbol,
        uint256 cap_,
        address minter_,
        Allocation[] memory genesis
    ) ERC20(name, symbol) ERC20Permit(name) {
        if (minter_ == address(0)) revert NetworkToken_ZeroAddress();
        minter = minter_;
        cap = cap_;
        for (uint256 i = 0; i < genesis.length; ++i) _mintWithinCap(genesis[i].account, genesis[i].amount);
    }

    function mint(address to, uint256 amount) external {
        if (msg.sender != minter) revert NetworkToken_NotMinter(msg.sender);
        _mintWithinCap(to, amount);
    }

    function _mintWithinCap(address to, uint256 amount) private {
        minted += amount;
        if (minted > cap) revert NetworkToken_CapExceeded(minted, cap);
        _mint(to, amount);
    }
}
