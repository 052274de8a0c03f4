// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title StakeManager.deposit and depositWithPermit
contract Deposits is Market {
    address internal constant PAYER = address(0x9a7e4);
    uint256 internal constant PAYER_KEY = 0x9a7e5;

    function setUp() public {
        deployNetwork();
        token.transfer(PAYER, 100e18);
    }

    function test_deposit__for_another_account__credits_it_and_takes_from_the_caller() public {
        vm.startPrank(PAYER);
        token.approve(address(stake), 40e18);
        stake.deposit(provider, 40e18);
        vm.stopPrank();
        eq(stake.account(provider).active, 40e18, "whom it was for");
        eq(stake.account(PAYER).active, 0, "not who paid");
        eq(token.balanceOf(PAYER), 60e18, "paid");
        eq(token.balanceOf(address(stake)), 40e18, "held");
    }

    function test_deposit__twice__adds_up() public {
        stakeFor(provider, 3);
        stakeFor(provider, 4);
        eq(stake.account(provider).active, 7, "active");
        eq(stake.freeStake(provider), 7, "free");
    }

    function test_deposit__of_nothing__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAmount.selector));
        stake.deposit(provider, 0);
    }

    function test_deposit__for_nobody__reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_ZeroAddress.selector));
        stake.deposit(address(0), 1);
    }

    function test_deposit__to_the_last_unit_that_fits__is_refused_by_name_beyond_it() public {
        stakeFor(provider, 5);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_DepositTooLarge.selector,
                provider,
                uint128(5),
                type(uint128).max - 4
            )
        );
        stake.deposit(provider, type(uint128).max - 4);
        // One unit less fits, and only the money is missing.
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        stake.deposit(provider, type(uint128).max - 5);
    }

    function test_a_deposit_by_a_stranger__resets_and_blocks_nothing() public {
        stakeFor(provider, 500e18);
        vm.prank(provider);
        stake.requestWithdrawal(500e18);
        uint40 unlock = stake.account(provider).unlockAt;
        vm.warp(block.timestamp + 1_000);
        stakeFor(provider, 1);
        eq(stake.account(provider).unlockAt, unlock, "unlockAt");
        eq(stake.account(provider).pending, 500e18, "pending");
        vm.warp(unlock);
        vm.prank(provider);
        eq(stake.withdraw(provider), 500e18, "withdrawn");
    }

    function permit(uint256 key, uint256 amount, uint256 deadline) internal view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                vm.addr(key),
                stake,
                amount,
                token.nonces(vm.addr(key)),
                deadline
            )
        );
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_deposit_with_permit__of_the_caller__needs_no_allowance_before() public {
        address payer = vm.addr(PAYER_KEY);
        token.transfer(payer, 7);
        (uint8 v, bytes32 r, bytes32 s) = permit(PAYER_KEY, 7, block.timestamp);
        vm.prank(payer);
        stake.depositWithPermit(provider, 7, block.timestamp, v, r, s);
        eq(stake.account(provider).active, 7, "deposited");
        eq(token.balanceOf(payer), 0, "paid");
    }

    function test_a_permit_spent_by_somebody_else__does_no_harm_to_a_deposit() public {
        address payer = vm.addr(PAYER_KEY);
        token.transfer(payer, 7);
        (uint8 v, bytes32 r, bytes32 s) = permit(PAYER_KEY, 7, block.timestamp);
        token.permit(payer, address(stake), 7, block.timestamp, v, r, s);
        vm.prank(payer);
        stake.depositWithPermit(payer, 7, block.timestamp, v, r, s);
        eq(stake.account(payer).active, 7, "deposited");
    }

    /// @dev A permit that somebody else signed moves nobody's money.
    function test_deposit_with_permit__signed_by_another__reverts() public {
        (uint8 v, bytes32 r, bytes32 s) = permit(PAYER_KEY, 7, block.timestamp);
        vm.prank(PAYER);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        stake.depositWithPermit(PAYER, 7, block.timestamp, v, r, s);
    }
}
