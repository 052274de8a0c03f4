// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";

/// @title What a device's or a seat's key can take that has fallen into other hands: its own stake, once
contract LeakedKeys is Accused {
    uint256 internal constant DEVICES = 4;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        for (uint256 i = 0; i < DEVICES; ++i) deviceIds.push(enrol(i, 1));
        stakeFor(provider, 500e18);
        vm.prank(provider);
        stake.requestWithdrawal(500e18);
    }

    /// @dev Signs two commitments of device 0 in an epoch.
    function two(uint64 epoch) internal view returns (bytes memory) {
        return twoCommitments(
            commitmentIn(epoch, deviceIds[0], keccak256("first")),
            commitmentIn(epoch, deviceIds[0], keccak256("second")),
            SALT
        );
    }

    function refusedBy(bytes memory proof, bytes4 expected) internal {
        (bool ok, bytes4 why) = accuse(proof);
        isTrue(!ok, "convicted all the same");
        eq(bytes32(why), bytes32(expected), "why");
    }

    function lost(uint256 devices) internal view {
        IStakeManager.Account memory a = stake.account(provider);
        eq(a.active, (DEVICES - devices) * DEVICE_STAKE, "active");
        eq(a.reserved, (DEVICES - devices) * DEVICE_STAKE, "what backs the others");
        eq(a.pending, 500e18, "what was asked back");
        eq(stake.heldSlashCount(), devices, "slashes");
    }

    /// @dev Attack 3: two commitments in each of eleven epochs. Each took a whole stake from what backs the others.
    function test_a_devices_key__two_commitments_in_eleven_epochs__takes_the_stake_of_that_device_once() public {
        for (uint64 e = 0; e < 11; ++e) {
            openEpoch(e);
            if (e == 0) convicted(two(e));
            else refusedBy(two(e), IDeviceRegistry.DeviceRegistry_AlreadySlashed.selector);
            lost(1);
        }
        held0();
    }

    function held0() internal view {
        IStakeManager.HeldSlash memory h = stake.heldSlash(1);
        eq(h.owner, provider, "owner");
        eq(h.amount, DEVICE_STAKE, "one device's");
    }

    function test_a_devices_key__faults_of_several_kinds_in_one_epoch__take_its_stake_once() public {
        openEpoch(0);
        convicted(two(0));
        Prover.Work memory w = workOf(deviceIds[0]);
        Prover.spoil(w, 0, 0, 5, 1);
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], w.resultRoot);
        refusedBy(
            wrongElement(c, Prover.round(w, 0), Prover.element(w, 0, 0, 5), SALT),
            IDeviceRegistry.DeviceRegistry_AlreadySlashed.selector
        );
        isTrue(!fraud.proven(IFraudErrors.Kind.WrongElement, deviceIds[0], 0), "nor is it recorded");
        lost(1);
    }

    function test_a_devices_key__after_its_retirement_and_release__takes_nothing() public {
        vm.warp(startOf(0) + 1);
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        vm.warp(registry.releasableFrom(deviceIds[0]));
        registry.releaseStake(deviceIds[0]);
        uint64 e = oracle.currentEpoch() + 1;
        openEpoch(e);
        refusedBy(two(e), IDeviceRegistry.DeviceRegistry_StakeReleased.selector);
        IStakeManager.Account memory a = stake.account(provider);
        eq(a.active, DEVICES * DEVICE_STAKE, "active");
        eq(a.reserved, (DEVICES - 1) * DEVICE_STAKE, "what backs the others");
    }

    function test_a_devices_key__after_its_retirement__is_liable_to_the_end_of_that_epoch() public {
        openEpoch(0);
        openEpoch(1);
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        openEpoch(2);
        refusedBy(two(2), IDeviceRegistry.DeviceRegistry_NotLiable.selector);
        convicted(two(1));
        lost(1);
    }

    /// @dev The key was used before, by whoever made it; who enrols it answers from then on.
    function test_a_devices_key__used_before_its_enrolment__takes_nothing() public {
        openEpoch(0);
        openEpoch(1);
        deviceIds.push(enrol(DEVICES, 1));
        deviceIds[0] = deviceIds[DEVICES];
        IFraudProofs.Commitment memory a = commitmentIn(0, deviceIds[0], keccak256("first"));
        IFraudProofs.Commitment memory b = commitmentIn(0, deviceIds[0], keccak256("second"));
        signAs(a, DEVICE_KEY + DEVICES);
        signAs(b, DEVICE_KEY + DEVICES);
        refusedBy(twoCommitments(a, b, SALT), IDeviceRegistry.DeviceRegistry_NotLiable.selector);
        eq(stake.heldSlashCount(), 0, "nothing");
    }

    function signAs(IFraudProofs.Commitment memory c, uint256 key) internal view {
        bytes memory encoded =
            abi.encode(COMMITMENT_TYPE, c.epoch, c.jobHash, c.deviceId, c.nonceRoot, c.resultRoot);
        (c.r, c.vs) = vm.signCompact(key, digestIn(address(oracle), encoded));
    }

    /// @dev What was given back is free stake of the account: it backs nothing of the device, which stays slashed.
    function test_a_device__whose_slash_was_restored__stays_slashed_and_is_slashed_no_more() public {
        openEpoch(0);
        convicted(two(0));
        stake.restoreSlash(1);
        eq(stake.freeStake(provider), DEVICE_STAKE, "free again");
        eq(uint256(registry.device(deviceIds[0]).status), uint256(IDeviceRegistry.Status.Slashed), "off the market");
        openEpoch(1);
        refusedBy(two(1), IDeviceRegistry.DeviceRegistry_AlreadySlashed.selector);
        eq(stake.freeStake(provider), DEVICE_STAKE, "still free");
    }

    /// @dev A seat's two seals of an epoch.
    function twoSeals(uint64 epoch, uint32 seat, uint256 key) internal view returns (bytes memory) {
        bytes memory head = abi.encode(SEAL_TYPE, epoch, oracle.epochState(epoch).setId, 0, oracle.epochSeed(epoch));
        IFraudProofs.SignedContent memory a;
        IFraudProofs.SignedContent memory b;
        a.content = abi.encode(keccak256("a"), uint32(2));
        b.content = abi.encode(keccak256("b"), uint32(2));
        (a.r, a.vs) = vm.signCompact(key, digestIn(address(oracle), bytes.concat(head, a.content)));
        (b.r, b.vs) = vm.signCompact(key, digestIn(address(oracle), bytes.concat(head, b.content)));
        return twoStatements(IFraudProofs.Statement.Seal, epoch, 0, seat, a, b);
    }

    /// @dev Attack 3's sister: one account has a seat and backs devices. Its signer's key takes the seat's stake, once.
    function test_a_seats_key__two_seals_in_five_epochs__takes_the_stake_of_that_seat_once() public {
        address account = seatAccount(0);
        stakeFor(account, 3 * SEAT_STAKE);
        vm.prank(address(registry));
        stake.reserve(account, 2 * SEAT_STAKE);
        for (uint64 e = 0; e < 2; ++e) openEpoch(e);
        convicted(twoSeals(0, 0, SEAT_KEY));
        refusedBy(twoSeals(1, 0, SEAT_KEY), IValidatorSet.ValidatorSet_NothingAtStake.selector);
        eq(stake.account(account).active, 3 * SEAT_STAKE, "active");
        eq(stake.account(account).reserved, 2 * SEAT_STAKE, "what backs devices");
        eq(stake.heldSlashCount(), 1, "slashes");
    }

    /// @dev Bounties are the reporter's whoever he is: the owner himself gets a tenth of what he loses.
    function test_a_bounty__to_the_owner_himself__is_a_tenth_of_his_loss() public {
        openEpoch(0);
        bytes memory proof = two(0);
        vm.prank(provider);
        fraud.commit(commitHash(provider, proof));
        vm.roll(block.number + 2);
        vm.prank(provider);
        (bool ok,) = address(fraud).call(proof);
        isTrue(ok, "convicted");
        held(provider, DEVICE_STAKE, provider);
        lost(1);
    }
}
