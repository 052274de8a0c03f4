// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Stake, Token} from "../base/Extras.sol";
import {Market} from "../base/Market.sol";

/// @title Accounts that deposit, reserve, unbond and are slashed, in any order
/// @dev Slashes come from where FraudProofs stands, reservations from where DeviceRegistry stands.
contract StakeHandler is Market {
    uint256 internal constant ACCOUNTS = 4;
    address internal constant REPORTER = address(0x4e90);
    address internal constant SINK = address(0x51e4);

    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public burned;
    uint256 public bounties;
    uint256 public collected;
    mapping(address who => uint256) public reservedFor;
    mapping(address who => uint256) public askedAt;

    constructor() {
        deployNetwork();
    }

    function unbonding() external pure returns (uint256) {
        return UNBONDING;
    }

    function parts() external view returns (Stake, Token) {
        return (stake, token);
    }

    function who(uint256 pick) public pure returns (address) {
        return address(uint160(0xacc000 + pick % ACCOUNTS));
    }

    function deposit(uint256 pick, uint256 amount) external {
        amount = within(amount, 1, 1e22);
        stakeFor(who(pick), uint128(amount));
        deposited += amount;
    }

    function reserve(uint256 pick, uint256 amount) external {
        address account = who(pick);
        uint256 free = stake.freeStake(account);
        amount = within(amount, 0, free);
        vm.prank(address(registry));
        stake.reserve(account, uint128(amount));
        reservedFor[account] += amount;
    }

    function release(uint256 pick, uint256 amount) external {
        address account = who(pick);
        amount = within(amount, 0, reservedFor[account]);
        vm.prank(address(seats));
        stake.release(account, uint128(amount));
        reservedFor[account] -= amount;
    }

    function request(uint256 pick, uint256 amount) external {
        address account = who(pick);
        uint256 free = stake.freeStake(account);
        if (free == 0 || stake.account(account).pending != 0) return;
        amount = within(amount, 1, free);
        vm.prank(account);
        stake.requestWithdrawal(uint128(amount));
        askedAt[account] = block.timestamp;
    }

    function cancel(uint256 pick) external {
        address account = who(pick);
        if (stake.account(account).pending == 0) return;
        vm.prank(account);
        stake.cancelWithdrawal();
    }

    function withdraw(uint256 pick) external {
        address account = who(pick);
        IStakeManager.Account memory a = stake.account(account);
        if (a.pending == 0) return;
        if (block.timestamp < a.unlockAt || a.openDemands != 0) {
            vm.prank(account);
            vm.expectRevert();
            stake.withdraw(SINK);
            return;
        }
        vm.prank(account);
        uint256 amount = stake.withdraw(SINK);
        eq(amount, a.pending, "what was asked back and not slashed");
        withdrawn += amount;
    }

    function slash(uint256 pick, uint256 amount) external {
        address account = who(pick);
        IStakeManager.Account memory a = stake.account(account);
        uint256 has = uint256(a.active) + a.pending;
        amount = within(amount, 0, has + 1e18);
        vm.prank(address(fraud));
        (uint256 taken, uint256 bounty) = stake.slash(account, uint128(amount), REPORTER);
        eq(taken, amount < has ? amount : has, "what was asked, or all there is");
        atMost(bounty * 10, taken, "a bounty of a tenth");
        burned += taken - bounty;
        bounties += bounty;
    }

    function demand(uint256 pick, bool opens) external {
        address account = who(pick);
        uint32 open = stake.account(account).openDemands;
        if (!opens && open == 0) return;
        vm.prank(address(fraud));
        if (opens) stake.openDemand(account);
        else stake.closeDemand(account);
    }

    function collect() external {
        if (stake.bountyOf(REPORTER) == 0) return;
        vm.prank(REPORTER);
        collected += stake.collectBounty(SINK);
    }

    function wait(uint256 seconds_) external {
        vm.warp(block.timestamp + within(seconds_, 1, UNBONDING));
    }

    function everyoneLeaves() external {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            address account = who(i);
            while (stake.account(account).openDemands != 0) {
                vm.prank(address(fraud));
                stake.closeDemand(account);
            }
            uint256 reserved = reservedFor[account];
            vm.prank(address(registry));
            stake.release(account, uint128(reserved));
            if (stake.account(account).pending != 0) {
                vm.prank(account);
                stake.cancelWithdrawal();
            }
            uint256 free = stake.freeStake(account);
            if (free == 0) continue;
            vm.prank(account);
            stake.requestWithdrawal(uint128(free));
            vm.warp(block.timestamp + UNBONDING);
            vm.prank(account);
            stake.withdraw(SINK);
        }
        if (stake.bountyOf(REPORTER) != 0) {
            vm.prank(REPORTER);
            stake.collectBounty(SINK);
        }
    }
}
