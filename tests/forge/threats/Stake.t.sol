// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";

import {Market} from "../base/Market.sol";

/// @title Threats on stake
/// @dev Slashes are made by standing where FraudProofs stands: which proofs lead there is tested under framing.
contract StakeThreats is Market {
    address internal constant REPORTER = address(0x4e90);
    bytes32 internal device;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        device = enrol(0, 1);
    }

    function slash(address who, uint128 amount) internal returns (uint256 taken, uint256 bounty) {
        vm.prank(address(fraud));
        return stake.slash(who, amount, REPORTER);
    }

    function free(uint128 amount) internal {
        stakeFor(provider, amount);
    }

    function request(uint128 amount) internal {
        vm.prank(provider);
        stake.requestWithdrawal(amount);
    }

    function test_leaving_in_front_of_a_slash__keeps_the_stake_in_reach() public {
        vm.prank(provider);
        registry.retire(device);
        vm.expectPartialRevert(IStakeManager.StakeManager_InsufficientStake.selector);
        request(1);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_StillProvable.selector);
        registry.releaseStake(device);
        uint256 at = registryReleasableAt();
        vm.warp(at - 1);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_StillProvable.selector);
        registry.releaseStake(device);
        vm.warp(at);
        registry.releaseStake(device);
        request(DEVICE_STAKE);
        (uint256 taken,) = slash(provider, DEVICE_STAKE);
        eq(taken, DEVICE_STAKE, "pending stake is slashed");
    }

    function registryReleasableAt() internal view returns (uint256) {
        uint256 retired = registry.device(device).retiredAt;
        uint256 epoch = retired < genesis ? 0 : (retired - genesis) / EPOCH;
        return genesis + (epoch + 2) * EPOCH + PROOF_WINDOW;
    }

    function test_stake_released_twice__reverts() public {
        vm.prank(provider);
        registry.retire(device);
        vm.warp(registryReleasableAt());
        registry.releaseStake(device);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_StakeReleased.selector);
        registry.releaseStake(device);
        eq(stake.account(provider).reserved, 0, "reserved");
    }

    function test_unbonding_near_zero__cannot_be_deployed() public {
        uint256 least = EPOCH + OPEN_BY + SEAL_BY + DRAW_BY + REPORT_BY + PROOF_WINDOW + ANSWER_WINDOW;
        bytes memory short = stakeArguments(uint40(least), 1_000);
        vm.expectRevert();
        vm.deployCode("StakeManager.sol:StakeManager", short);
        vm.deployCode("StakeManager.sol:StakeManager", stakeArguments(uint40(least + 1), 1_000));
    }

    function test_a_bounty_above_ten_percent__cannot_be_set() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeManager_BadBounty.selector, 1_001, 1_000));
        stake.setBounty(1_001);
        bytes memory greedy = stakeArguments(UNBONDING, 1_001);
        vm.expectRevert();
        vm.deployCode("StakeManager.sol:StakeManager", greedy);
        stake.setBounty(0);
        (, uint256 bounty) = slash(provider, DEVICE_STAKE);
        eq(bounty, 0, "as set");
        vm.prank(provider);
        vm.expectRevert();
        stake.setBounty(1);
    }

    function stakeArguments(uint40 unbonding, uint16 bounty) internal view returns (bytes memory) {
        return abi.encode(
            authority, token, registry, seats, fraud, oracle, ANSWER_WINDOW, unbonding, bounty
        );
    }

    function test_matured_stake__is_slashed_too() public {
        free(500e18);
        request(500e18);
        vm.warp(block.timestamp + UNBONDING + 1);
        (uint256 taken,) = slash(provider, DEVICE_STAKE + 100e18);
        eq(taken, DEVICE_STAKE + 100e18, "taken");
        eq(stake.account(provider).active, 0, "active first");
        eq(stake.account(provider).pending, 400e18, "then pending");
        vm.prank(provider);
        eq(stake.withdraw(address(0xbeef)), 400e18, "what is left goes out");
        eq(token.balanceOf(address(0xbeef)), 400e18, "to the receiver");
    }

    function test_a_slash__strands_nobody_elses_stake() public {
        address other = address(0x07e4);
        stakeFor(other, 77e18);
        slash(provider, DEVICE_STAKE);
        eq(stake.account(other).active, 77e18, "untouched");
        vm.prank(other);
        stake.requestWithdrawal(77e18);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(other);
        eq(stake.withdraw(other), 77e18, "leaves whole");
    }

    function test_a_slash__takes_what_there_is_and_never_more(uint128 has, uint128 pending, uint128 asked) public {
        address who = address(0x1234);
        has = uint128(within(has, 1, 1e24));
        pending = uint128(within(pending, 0, has));
        asked = uint128(within(asked, 0, 2e24));
        stakeFor(who, has);
        if (pending != 0) {
            vm.prank(who);
            stake.requestWithdrawal(pending);
        }
        uint256 supply = token.totalSupply();
        (uint256 taken, uint256 bounty) = slash(who, asked);
        eq(taken, asked < has ? asked : has, "taken");
        eq(bounty, taken / 10, "bounty rounded down");
        eq(supply - token.totalSupply(), taken - bounty, "the rest is burned");
        eq(uint256(stake.account(who).active) + stake.account(who).pending, has - taken, "what is left");
        eq(stake.bountyOf(REPORTER), bounty, "the reporter's");
    }

    function test_a_slash_of_one_unit__is_not_rounded_to_nothing() public {
        (uint256 taken, uint256 bounty) = slash(provider, 1);
        eq(taken, 1, "taken");
        eq(bounty, 0, "the burned share is never less");
    }

    function test_a_deposit_by_a_stranger__resets_and_blocks_nothing() public {
        free(500e18);
        request(500e18);
        uint40 unlock = stake.account(provider).unlockAt;
        vm.warp(block.timestamp + 1_000);
        stakeFor(provider, 1);
        eq(stake.account(provider).unlockAt, unlock, "unlockAt");
        eq(stake.account(provider).pending, 500e18, "pending");
        vm.warp(unlock - 1);
        vm.prank(provider);
        vm.expectPartialRevert(IStakeManager.StakeManager_StillLocked.selector);
        stake.withdraw(provider);
        vm.warp(unlock);
        vm.prank(provider);
        stake.withdraw(provider);
        eq(stake.account(provider).unlockAt, 0, "cleared");
    }

    function test_unbonding_and_rebonding__backs_nothing_meanwhile() public {
        free(DEVICE_STAKE);
        request(DEVICE_STAKE);
        vm.expectPartialRevert(IStakeManager.StakeManager_WithdrawalPending.selector);
        request(1);
        eq(stake.freeStake(provider), 0, "pending stake is not free");
        vm.prank(address(registry));
        vm.expectPartialRevert(IStakeManager.StakeManager_InsufficientStake.selector);
        stake.reserve(provider, 1);
        vm.prank(provider);
        stake.cancelWithdrawal();
        eq(stake.freeStake(provider), DEVICE_STAKE, "free again");
        eq(stake.account(provider).unlockAt, 0, "the wait begins anew");
        vm.prank(provider);
        vm.expectPartialRevert(IStakeManager.StakeManager_NoWithdrawal.selector);
        stake.cancelWithdrawal();
        vm.prank(provider);
        vm.expectPartialRevert(IStakeManager.StakeManager_NoWithdrawal.selector);
        stake.withdraw(provider);
    }

    function test_a_reporter_of_himself__loses_nine_tenths() public {
        vm.prank(address(fraud));
        (uint256 taken, uint256 bounty) = stake.slash(provider, DEVICE_STAKE, provider);
        atMost(bounty * 10, taken, "bounty");
        vm.prank(provider);
        stake.collectBounty(provider);
        eq(token.balanceOf(provider), DEVICE_STAKE / 10, "a tenth is all that comes back");
        vm.prank(provider);
        vm.expectPartialRevert(IStakeManager.StakeManager_NothingToCollect.selector);
        stake.collectBounty(provider);
    }

    function test_stake_as_somebodys_compensation__goes_to_no_counterparty() public {
        uint256 supply = token.totalSupply();
        slash(provider, DEVICE_STAKE);
        eq(token.totalSupply(), supply - DEVICE_STAKE * 9 / 10, "burned");
        eq(token.balanceOf(renter), 0, "nothing for a renter");
    }

    function test_withdrawals__wait_for_demands() public {
        free(10e18);
        request(10e18);
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(address(fraud));
        stake.openDemand(provider);
        vm.prank(provider);
        vm.expectPartialRevert(IStakeManager.StakeManager_DemandOpen.selector);
        stake.withdraw(provider);
        vm.prank(address(fraud));
        stake.closeDemand(provider);
        vm.prank(address(fraud));
        vm.expectPartialRevert(IStakeManager.StakeManager_NoDemand.selector);
        stake.closeDemand(provider);
        vm.prank(provider);
        stake.withdraw(provider);
    }

    function test_only_the_wired_contracts__reserve_release_and_slash() public {
        address[3] memory callers = [provider, address(this), address(escrow)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.startPrank(callers[i]);
            vm.expectPartialRevert(IStakeManager.StakeManager_NotReserver.selector);
            stake.reserve(provider, 0);
            vm.expectPartialRevert(IStakeManager.StakeManager_NotReserver.selector);
            stake.release(provider, 0);
            vm.expectPartialRevert(IStakeManager.StakeManager_NotFraudProofs.selector);
            stake.slash(provider, 1, address(this));
            vm.expectPartialRevert(IStakeManager.StakeManager_NotFraudProofs.selector);
            stake.openDemand(provider);
            vm.expectPartialRevert(IStakeManager.StakeManager_NotFraudProofs.selector);
            stake.closeDemand(provider);
            vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_NotFraudProofs.selector);
            registry.markSlashed(device);
            vm.stopPrank();
        }
        vm.prank(address(seats));
        stake.reserve(seatAccount(0), 0);
        vm.prank(address(registry));
        vm.expectPartialRevert(IStakeManager.StakeManager_OverRelease.selector);
        stake.release(provider, DEVICE_STAKE + 1);
    }

    function test_nothing_of_zero_and_nobody() public {
        vm.expectPartialRevert(IStakeManager.StakeManager_ZeroAmount.selector);
        stake.deposit(provider, 0);
        vm.expectPartialRevert(IStakeManager.StakeManager_ZeroAddress.selector);
        stake.deposit(address(0), 1);
        vm.expectPartialRevert(IStakeManager.StakeManager_ZeroAmount.selector);
        stake.requestWithdrawal(0);
        vm.expectPartialRevert(IStakeManager.StakeManager_ZeroAddress.selector);
        stake.withdraw(address(0));
        vm.expectPartialRevert(IStakeManager.StakeManager_ZeroAddress.selector);
        stake.collectBounty(address(0));
    }

    function test_a_device_slashed__is_retired_and_its_reservation_gone() public {
        vm.prank(address(fraud));
        registry.markSlashed(device);
        eq(registry.activeProvider(device), address(0), "retired");
        eq(stake.account(provider).reserved, 0, "reserved");
        vm.prank(address(fraud));
        registry.markSlashed(device);
        vm.prank(provider);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_NotActive.selector);
        registry.retire(device);
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_StakeReleased.selector);
        registry.releaseStake(device);
        vm.prank(address(fraud));
        vm.expectPartialRevert(IDeviceRegistry.DeviceRegistry_UnknownDevice.selector);
        registry.markSlashed(keccak256("none"));
    }

    function test_a_permit_spent_by_somebody_else__does_no_harm_to_a_deposit() public {
        fund(renter, 100e18);
        uint256 deadline = block.timestamp + 100;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                renter,
                stake,
                uint256(50e18),
                0,
                deadline
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(RENTER_KEY, digest);
        token.permit(renter, address(stake), 50e18, deadline, v, r, s);
        vm.prank(renter);
        stake.depositWithPermit(renter, 50e18, deadline, v, r, s);
        eq(stake.account(renter).active, 50e18, "deposited");
    }
}
