// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title StakeManager.requestWithdrawal, cancelWithdrawal and withdraw
contract Withdrawals is Market {
    address internal constant RECEIVER = address(0x4ece);

    function setUp() public {
        deployNetwork();
        enrol(0, 1);
        stakeFor(provider, 500e18);
    }

    function request(uint128 amount) internal {
        vm.prank(provider);
        stake.requestWithdrawal(amount);
    }

    function withdraw() internal returns (uint256) {
        vm.prank(provider);
        return stake.withdraw(RECEIVER);
    }

    function test_request__of_free_stake__moves_it_to_pending_for_the_unbonding_period() public {
        request(500e18);
        IStakeManager.Account memory a = stake.account(provider);
        eq(a.active, DEVICE_STAKE, "active");
        eq(a.pending, 500e18, "pending");
        eq(a.unlockAt, block.timestamp + UNBONDING, "unlockAt");
        eq(stake.freeStake(provider), 0, "free");
    }

    function test_request__of_one_unit_more_than_is_free__reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_InsufficientStake.selector, provider, 500e18, uint256(500e18) + 1
            )
        );
        request(500e18 + 1);
    }

    function test_request__of_nothing__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAmount.selector));
        request(0);
    }

    function test_request__while_one_is_pending__reverts() public {
        request(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_WithdrawalPending.selector, provider, stake.account(provider).unlockAt
            )
        );
        request(1);
    }

    function test_unbonding_and_rebonding__backs_nothing_meanwhile() public {
        request(500e18);
        vm.prank(address(registry));
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_InsufficientStake.selector, provider, 0, 1)
        );
        stake.reserve(provider, 1);
        vm.prank(provider);
        stake.cancelWithdrawal();
        eq(stake.freeStake(provider), 500e18, "free again");
        eq(stake.account(provider).pending, 0, "nothing pending");
        eq(stake.account(provider).unlockAt, 0, "the wait begins anew");
    }

    function test_cancel__with_nothing_pending__reverts() public {
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NoWithdrawal.selector, provider));
        stake.cancelWithdrawal();
    }

    function test_withdraw__with_nothing_pending__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NoWithdrawal.selector, provider));
        withdraw();
    }

    function test_withdraw__to_nobody__reverts() public {
        request(1);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAddress.selector));
        stake.withdraw(address(0));
    }

    function test_leaving_in_front_of_a_slash__waits_to_the_last_second() public {
        request(500e18);
        uint40 unlock = stake.account(provider).unlockAt;
        vm.warp(unlock - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_StillLocked.selector, provider, unlock, uint256(unlock) - 1
            )
        );
        withdraw();
        vm.warp(unlock);
        eq(withdraw(), 500e18, "all of it");
        eq(token.balanceOf(RECEIVER), 500e18, "to the receiver");
        eq(stake.account(provider).unlockAt, 0, "cleared");
        eq(stake.account(provider).active, DEVICE_STAKE, "what is reserved stays");
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_NoWithdrawal.selector, provider));
        withdraw();
    }

    /// @dev What is reserved for a fault that can still be proven cannot be asked back, whatever else is: so no slash needs
    /// what is pending.
    function test_leaving_in_front_of_a_slash__keeps_what_is_reserved_in_reach() public {
        request(500e18);
        vm.startPrank(address(registry));
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.StakeManager_InsufficientStake.selector, provider, 0, 1)
        );
        stake.reserve(provider, 1);
        stake.release(provider, DEVICE_STAKE);
        vm.stopPrank();
        vm.prank(address(fraud));
        stake.slash(provider, DEVICE_STAKE, address(this));
        eq(stake.account(provider).active, 0, "all that was reserved");
        vm.warp(block.timestamp + UNBONDING);
        eq(withdraw(), 500e18, "and nothing that backed nothing");
    }
}
