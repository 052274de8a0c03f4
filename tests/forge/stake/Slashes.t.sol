// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title StakeManager.slash, settleSlash, restoreSlash and collectBounty
/// @dev Made by standing where FraudProofs stands: which proofs lead there is tested under fraud and framing.
contract Slashes is Market {
    address internal constant REPORTER = address(0x4e90);
    address internal constant ANYONE = address(0xa17);

    function setUp() public {
        deployNetwork();
        stakeFor(provider, DEVICE_STAKE);
    }

    function slash(uint128 amount) internal returns (uint256) {
        return slash(amount, REPORTER);
    }

    function slash(uint128 amount, address reporter) internal returns (uint256) {
        vm.prank(address(fraud));
        return stake.slash(provider, amount, reporter);
    }

    function settle(uint256 id) internal {
        vm.warp(stake.heldSlash(id).heldUntil);
        vm.prank(ANYONE);
        stake.settleSlash(id);
    }

    function statusOf(uint256 id) internal view returns (uint256) {
        return uint256(stake.heldSlash(id).status);
    }

    function notHeld(uint256 id, IStakeManager.HeldStatus status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IStakeManager.StakeManager_NotHeld.selector, id, status);
    }

    function test_slash__of_free_stake__holds_it_and_pays_nobody_yet() public {
        uint256 supply = token.totalSupply();
        uint256 id = slash(400e18);
        eq(id, 1, "they count from one");
        eq(stake.heldSlashCount(), 1, "how many");
        IStakeManager.HeldSlash memory h = stake.heldSlash(id);
        eq(h.owner, provider, "owner");
        eq(h.reporter, REPORTER, "reporter");
        eq(h.amount, 400e18, "amount");
        eq(h.bounty, 40e18, "bounty");
        eq(h.heldUntil, block.timestamp + SLASH_HOLD, "until");
        eq(uint256(h.status), uint256(IStakeManager.HeldStatus.Held), "held");
        eq(stake.account(provider).active, DEVICE_STAKE - 400e18, "taken");
        eq(stake.bountyOf(REPORTER), 0, "no bounty yet");
        eq(token.totalSupply(), supply, "nothing burned yet");
        eq(token.balanceOf(address(stake)), DEVICE_STAKE, "all still here");
    }

    function test_slash__announces_what_is_held() public {
        vm.expectEmit();
        emit IStakeManager.SlashHeld(1, provider, 400e18, 40e18, REPORTER, uint40(block.timestamp) + SLASH_HOLD);
        slash(400e18);
    }

    function test_slash__by_anybody_else__reverts() public {
        address[4] memory callers = [provider, address(this), address(registry), address(seats)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NotFraudProofs.selector, callers[i]));
            stake.slash(provider, 1, REPORTER);
        }
    }

    function test_slash__of_nothing__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAmount.selector));
        slash(0);
    }

    /// @dev What other devices and seats have reserved is out of reach, and so is what was asked back, matured or not.
    function test_a_slash__takes_what_is_free_and_never_a_unit_more(uint128 has, uint128 reserved, uint128 pending)
        public
    {
        address who = address(0x1234);
        has = uint128(within(has, 2, 1e24));
        reserved = uint128(within(reserved, 0, has - 1));
        pending = uint128(within(pending, 0, has - reserved - 1));
        stakeFor(who, has);
        vm.prank(address(registry));
        stake.reserve(who, reserved);
        if (pending != 0) {
            vm.prank(who);
            stake.requestWithdrawal(pending);
            vm.warp(block.timestamp + UNBONDING);
        }
        uint128 free = has - reserved - pending;
        vm.prank(address(fraud));
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_InsufficientStake.selector, who, free, uint256(free) + 1
            )
        );
        stake.slash(who, free + 1, REPORTER);
        vm.prank(address(fraud));
        stake.slash(who, free, REPORTER);
        IStakeManager.Account memory a = stake.account(who);
        eq(a.active, reserved, "what backs others");
        eq(a.pending, pending, "what backs nothing");
    }

    function test_a_slash__strands_nobody_elses_stake() public {
        address other = address(0x07e4);
        stakeFor(other, 77e18);
        settle(slash(DEVICE_STAKE));
        eq(stake.account(other).active, 77e18, "untouched");
        vm.prank(other);
        stake.requestWithdrawal(77e18);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(other);
        eq(stake.withdraw(other), 77e18, "leaves whole");
    }

    function test_a_slash_of_one_unit__is_not_rounded_to_nothing() public {
        uint256 supply = token.totalSupply();
        uint256 id = slash(1);
        eq(stake.heldSlash(id).amount, 1, "held");
        eq(stake.heldSlash(id).bounty, 0, "the bounty is rounded down, not the slash");
        settle(id);
        eq(supply - token.totalSupply(), 1, "burned");
    }

    function test_settle__once_the_hold_is_over__credits_the_bounty_and_burns_the_rest(uint128 amount) public {
        amount = uint128(within(amount, 1, DEVICE_STAKE));
        uint256 supply = token.totalSupply();
        uint256 id = slash(amount);
        settle(id);
        eq(stake.bountyOf(REPORTER), amount / 10, "bounty, rounded down");
        eq(supply - token.totalSupply(), amount - amount / 10, "burned");
        eq(statusOf(id), uint256(IStakeManager.HeldStatus.Settled), "settled");
        eq(token.balanceOf(address(stake)), DEVICE_STAKE - amount + amount / 10, "held: stake and bounty");
    }

    function test_settle__a_second_before_the_hold_is_over__reverts() public {
        uint256 id = slash(10);
        uint40 until = stake.heldSlash(id).heldUntil;
        vm.warp(until - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_StillHeld.selector, id, until, uint256(until) - 1)
        );
        stake.settleSlash(id);
    }

    function test_settle__twice__reverts() public {
        uint256 id = slash(10);
        settle(id);
        vm.expectRevert(notHeld(id, IStakeManager.HeldStatus.Settled));
        stake.settleSlash(id);
    }

    function test_settle__of_no_slash__reverts() public {
        slash(10);
        vm.warp(block.timestamp + SLASH_HOLD);
        vm.expectRevert(notHeld(0, IStakeManager.HeldStatus.None));
        stake.settleSlash(0);
        vm.expectRevert(notHeld(2, IStakeManager.HeldStatus.None));
        stake.settleSlash(2);
    }

    function test_settle__of_what_was_restored__reverts() public {
        uint256 id = slash(10);
        stake.restoreSlash(id);
        vm.warp(block.timestamp + SLASH_HOLD);
        vm.expectRevert(notHeld(id, IStakeManager.HeldStatus.Restored));
        stake.settleSlash(id);
    }

    function test_restore__within_the_hold__gives_all_back_to_its_owner_and_nobody_else() public {
        uint256 id = slash(400e18);
        vm.expectEmit();
        emit IStakeManager.SlashRestored(id, provider, 400e18);
        stake.restoreSlash(id);
        eq(stake.account(provider).active, DEVICE_STAKE, "active again");
        eq(stake.freeStake(provider), DEVICE_STAKE, "and free");
        eq(stake.bountyOf(REPORTER), 0, "no bounty");
        eq(statusOf(id), uint256(IStakeManager.HeldStatus.Restored), "restored");
        eq(token.balanceOf(address(stake)), DEVICE_STAKE, "nothing left the contract");
    }

    function test_restore__after_the_hold_but_not_settled__is_still_possible() public {
        uint256 id = slash(400e18);
        vm.warp(block.timestamp + 10 * SLASH_HOLD);
        stake.restoreSlash(id);
        eq(stake.account(provider).active, DEVICE_STAKE, "active again");
    }

    function test_restore__of_what_was_settled__reverts() public {
        uint256 id = slash(10);
        settle(id);
        vm.expectRevert(notHeld(id, IStakeManager.HeldStatus.Settled));
        stake.restoreSlash(id);
    }

    function test_restore__twice__reverts() public {
        uint256 id = slash(10);
        stake.restoreSlash(id);
        vm.expectRevert(notHeld(id, IStakeManager.HeldStatus.Restored));
        stake.restoreSlash(id);
        eq(stake.account(provider).active, DEVICE_STAKE, "once");
    }

    function test_restore__of_no_slash__reverts() public {
        vm.expectRevert(notHeld(1, IStakeManager.HeldStatus.None));
        stake.restoreSlash(1);
    }

    function test_restore__by_anybody_but_governance__reverts() public {
        uint256 id = slash(10);
        address[4] memory callers = [provider, REPORTER, GUARDIAN, address(fraud)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSignature("AccessManagedUnauthorized(address)", callers[i]));
            stake.restoreSlash(id);
        }
    }

    /// @dev Restored stake is the owner's to take out, but no sooner than any other.
    function test_restored_stake__waits_out_the_unbonding_period() public {
        stake.restoreSlash(slash(DEVICE_STAKE));
        vm.startPrank(provider);
        stake.requestWithdrawal(DEVICE_STAKE);
        vm.warp(block.timestamp + UNBONDING);
        eq(stake.withdraw(provider), DEVICE_STAKE, "whole");
    }

    function test_a_bounty_set_later__changes_nothing_for_slashes_on_hold() public {
        uint256 before = slash(100);
        stake.setBounty(0);
        uint256 later = slash(100);
        eq(stake.heldSlash(before).bounty, 10, "as it was");
        eq(stake.heldSlash(later).bounty, 0, "as it is");
        settle(before);
        settle(later);
        eq(stake.bountyOf(REPORTER), 10, "credited");
    }

    function test_collect__after_settlement__pays_the_receiver_once() public {
        settle(slash(100));
        settle(slash(50));
        vm.startPrank(REPORTER);
        eq(stake.collectBounty(ANYONE), 15, "collected");
        eq(token.balanceOf(ANYONE), 15, "paid");
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NothingToCollect.selector, REPORTER));
        stake.collectBounty(ANYONE);
    }

    function test_collect__while_the_slash_is_on_hold__reverts() public {
        slash(100);
        vm.warp(block.timestamp + SLASH_HOLD);
        vm.prank(REPORTER);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NothingToCollect.selector, REPORTER));
        stake.collectBounty(REPORTER);
    }

    function test_collect__to_nobody__reverts() public {
        settle(slash(100));
        vm.prank(REPORTER);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAddress.selector));
        stake.collectBounty(address(0));
    }

    function test_a_reporter_of_himself__loses_nine_tenths(uint128 amount) public {
        amount = uint128(within(amount, 1, DEVICE_STAKE));
        settle(slash(amount, provider));
        atMost(stake.bountyOf(provider) * 10, amount, "a tenth is all that comes back");
        eq(stake.account(provider).active, DEVICE_STAKE - amount, "and all of it was taken");
    }

    function test_stake_as_somebodys_compensation__goes_to_no_counterparty() public {
        uint256 supply = token.totalSupply();
        settle(slash(DEVICE_STAKE));
        eq(token.totalSupply(), supply - DEVICE_STAKE * 9 / 10, "burned");
        eq(token.balanceOf(renter), 0, "nothing for a renter");
        eq(stake.account(renter).active, 0, "nor as stake");
    }
}
