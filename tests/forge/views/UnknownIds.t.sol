// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {ILeaseEscrow} from "contracts/interfaces/ILeaseEscrow.sol";
import {INetworkToken} from "contracts/interfaces/INetworkToken.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Epochs} from "../base/Epochs.sol";

/// @title Bad input: every view, asked for what is not there
/// @dev Views answer with zeros, or with a named error where zero would mislead (a set, a profile's job). A call that reverts
/// in any other way fails these tests by itself.
contract UnknownIds is Epochs {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
        openEpoch(0);
    }

    /// @dev All that a view returned is zero, whatever its types; `words` of them.
    function zeros(address target, bytes memory call, uint256 words) internal view {
        (bool ok, bytes memory result) = target.staticcall(call);
        isTrue(ok, "a view reverted");
        eq(result.length, words * 32, "words");
        for (uint256 at = 0; at < result.length; ++at) isTrue(result[at] == 0, "not zero");
    }

    /// @dev A named error with its value, never an empty revert.
    function named(address target, bytes memory call, bytes memory why) internal view {
        (bool ok, bytes memory result) = target.staticcall(call);
        isTrue(!ok, "a view went through");
        eq(keccak256(result), keccak256(why), "why");
    }

    function test_views__epoch_never_opened__zero(uint64 e) public view {
        if (e == 0) e = type(uint64).max;
        address at = address(oracle);
        zeros(at, abi.encodeCall(IEpochOracle.epochState, (e)), 17);
        zeros(at, abi.encodeCall(IEpochOracle.epochSeed, (e)), 1);
        zeros(at, abi.encodeCall(IEpochOracle.sealOf, (e)), 4);
        zeros(at, abi.encodeCall(IEpochOracle.rewardsOf, (e)), 4);
        zeros(at, abi.encodeCall(IEpochOracle.devicesRootOf, (e)), 1);
        zeros(at, abi.encodeCall(IEpochOracle.presence, (e)), 3);
        zeros(at, abi.encodeCall(IEpochOracle.provable, (e)), 1);
        IEpochOracle.DeviceLeaf memory leaf;
        leaf.epoch = e;
        zeros(at, abi.encodeCall(IEpochOracle.verifyDevice, (leaf, new bytes32[](0))), 1);
        zeros(address(rewards), abi.encodeCall(IRewardsDistributor.vetoed, (e)), 1);
        zeros(address(rewards), abi.encodeCall(IRewardsDistributor.claimableAt, (e)), 1);
        eq(oracle.epochStart(e), uint256(genesis) + uint256(e) * EPOCH, "any epoch has its time");
        (uint256 providers, uint256 validators,) = rewards.emission(e);
        eq(providers + validators, token.emissionAt(e), "and its emission");
        for (uint8 kind = 0; kind < 10; ++kind) {
            zeros(address(fraud), abi.encodeCall(IFraudProofs.quorumFault, (IFraudErrors.Kind(kind), e)), 3);
            zeros(address(fraud), abi.encodeCall(IFraudProofs.proven, (IFraudErrors.Kind(kind), bytes32(uint256(e)), e)), 1);
        }
    }

    function test_views__epoch_opened_but_no_further__no_more_than_that() public view {
        zeros(address(oracle), abi.encodeCall(IEpochOracle.sealOf, (0)), 4);
        zeros(address(oracle), abi.encodeCall(IEpochOracle.rewardsOf, (0)), 4);
        zeros(address(oracle), abi.encodeCall(IEpochOracle.devicesRootOf, (0)), 1);
        zeros(address(oracle), abi.encodeCall(IEpochOracle.lastReport, ()), 3);
    }

    function test_views__unknown_device__zero(bytes32 id) public view {
        address at = address(registry);
        zeros(at, abi.encodeCall(IDeviceRegistry.device, (id)), 8);
        zeros(at, abi.encodeCall(IDeviceRegistry.liability, (id)), 3);
        zeros(at, abi.encodeCall(IDeviceRegistry.keyOf, (id)), 1);
        zeros(at, abi.encodeCall(IDeviceRegistry.jobOf, (id, id)), 15);
        zeros(at, abi.encodeCall(IDeviceRegistry.enrolNonce, (address(uint160(uint256(id))))), 1);
        zeros(at, abi.encodeCall(IDeviceRegistry.releasableFrom, (id)), 1);
        zeros(address(demands), abi.encodeCall(IOpeningDemands.openDemandsOf, (id)), 1);
        zeros(address(escrow), abi.encodeCall(ILeaseEscrow.activeLease, (id)), 1);
        zeros(address(escrow), abi.encodeCall(ILeaseEscrow.nonceFloor, (id, address(this))), 1);
    }

    function test_views__unknown_profile__zero_and_its_job_named(uint32 id) public view {
        if (id != 0 && id < 4) id = 4;
        zeros(address(registry), abi.encodeCall(IDeviceRegistry.profile, (id)), 11);
        zeros(address(registry), abi.encodeCall(IDeviceRegistry.profileClosed, (id)), 1);
        named(
            address(registry),
            abi.encodeCall(IDeviceRegistry.jobHash, (id, bytes32(0))),
            abi.encodeWithSelector(IDeviceRegistry.DeviceRegistry_UnknownProfile.selector, id)
        );
    }

    function test_views__unknown_set__named_and_its_seats_zero(uint32 id, uint256 index) public view {
        if (id == 1) id = 2;
        named(
            address(seats),
            abi.encodeCall(IValidatorSet.seatsOf, (id)),
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_UnknownSet.selector, id)
        );
        zeros(address(seats), abi.encodeCall(IValidatorSet.seatAt, (id, index)), 2);
        zeros(address(seats), abi.encodeCall(IValidatorSet.seatAt, (1, within(index, 4, type(uint256).max))), 2);
    }

    function test_views__unknown_account__zero(uint160 who) public view {
        address account = address(uint160(within(who, 2 ** 100, type(uint160).max)));
        if (account == address(this)) return;
        zeros(address(seats), abi.encodeCall(IValidatorSet.member, (account)), 7);
        zeros(address(seats), abi.encodeCall(IValidatorSet.seatNonce, (account)), 1);
        zeros(address(stake), abi.encodeCall(IStakeManager.account, (account)), 4);
        zeros(address(stake), abi.encodeCall(IStakeManager.freeStake, (account)), 1);
        zeros(address(stake), abi.encodeCall(IStakeManager.bountyOf, (account)), 1);
        zeros(address(seats), abi.encodeCall(IValidatorSet.signerUsed, (account)), 1);
        zeros(address(rewards), abi.encodeCall(IRewardsDistributor.claimed, (account)), 1);
        zeros(address(token), abi.encodeCall(INetworkToken.mintedBy, (account)), 1);
        zeros(address(token), abi.encodeCall(INetworkToken.limitOf, (account)), 1);
        zeros(address(token), abi.encodeCall(INetworkToken.epochsOf, (account)), 3);
        zeros(address(demands), abi.encodeCall(IOpeningDemands.bondOf, (account)), 1);
        zeros(address(registry), abi.encodeCall(IDeviceRegistry.operatorOf, (account, account)), 2);
        zeros(address(registry), abi.encodeCall(IDeviceRegistry.mayAct, (account, account, 31)), 1);
        eq(registry.payoutOf(account), account, "paid to itself");
    }

    function test_views__unknown_demand_or_slash__zero(uint256 id) public view {
        zeros(address(demands), abi.encodeCall(IOpeningDemands.demandOf, (bytes32(id))), 13);
        zeros(address(demands), abi.encodeCall(IOpeningDemands.bondOfDemand, (bytes32(id))), 3);
        zeros(address(stake), abi.encodeCall(IStakeManager.heldSlash, (id)), 6);
    }

    function test_views__unknown_lease_or_token__zero(uint256 id) public view {
        address at = address(escrow);
        zeros(at, abi.encodeCall(ILeaseEscrow.lease, (id)), 25);
        zeros(at, abi.encodeCall(ILeaseEscrow.streamed, (id)), 1);
        zeros(at, abi.encodeCall(ILeaseEscrow.claimable, (id)), 1);
        zeros(at, abi.encodeCall(ILeaseEscrow.refundable, (id)), 1);
        zeros(at, abi.encodeCall(ILeaseEscrow.bondReturnable, (id)), 1);
        zeros(at, abi.encodeCall(ILeaseEscrow.forfeitable, (id)), 1);
        address unlisted = address(uint160(within(id, 2 ** 100, type(uint160).max)));
        zeros(at, abi.encodeWithSignature("owed(address)", unlisted), 1);
        zeros(at, abi.encodeWithSignature("fees(address)", unlisted), 1);
        zeros(at, abi.encodeWithSignature("tokenAllowed(address)", unlisted), 1);
        zeros(at, abi.encodeWithSignature("feeFloorOf(address)", unlisted), 1);
    }

    /// @dev The largest numbers that fit are refused by name too, not by an overflow.
    function test_calls__largest_numbers__refused_by_name() public {
        uint64 last = type(uint64).max;
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooEarly.selector);
        oracle.openEpoch(last);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.draw(last);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.voidEpoch(last);
        vm.prank(seatAccount(0));
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_NoCheckIn.selector, last));
        seats.checkIn(last);
        stakeFor(address(this), 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_DepositTooLarge.selector, address(this), uint128(1), type(uint128).max
            )
        );
        stake.deposit(address(this), type(uint128).max);
        vm.prank(seatAccount(0));
        vm.expectPartialRevert(IStakeManager.StakeManager_InsufficientStake.selector);
        seats.raiseStake(type(uint128).max);
    }
}
