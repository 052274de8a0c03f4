// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Epochs} from "../base/Epochs.sol";
import {Pausable} from "../base/Extras.sol";

/// @title What is refused before anything else can go wrong with it, with the error that says so
contract Refusals is Epochs {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
    }

    function test_late_signatures_of_an_epoch_not_sealed_or_not_reported__revert() public {
        IEpochOracle.Quorum memory none;
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.addSignatures(0, false, 0, none);
        openEpoch(0);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.addSignatures(0, false, 0, none);
        sealEpoch(0, keccak256("s"), 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.addSignatures(0, true, 0, none);
        IEpochOracle.Quorum memory fourth = quorumOf(sealDigest(0, 0, keccak256("s"), 1), 8);
        oracle.addSignatures(0, false, 0, fourth);
        (, uint32 sealSigners,) = oracle.presence(0);
        eq(sealSigners, 15, "all four");
        vm.warp(startOf(0) + DRAW_BY);
        oracle.addSignatures(0, false, 0, fourth);
        vm.warp(startOf(0) + DRAW_BY + 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooLate.selector);
        oracle.addSignatures(0, false, 0, fourth);
    }

    function test_a_pause__is_lifted_by_the_guardian_only() public {
        vm.prank(GUARDIAN);
        Pausable(address(escrow)).pauseEntry(100);
        vm.prank(address(0x57a6e4));
        vm.expectRevert();
        Pausable(address(escrow)).resumeEntry();
        eq(Pausable(address(escrow)).pausedUntil(), block.timestamp + 100, "still paused");
        vm.prank(GUARDIAN);
        Pausable(address(escrow)).resumeEntry();
        eq(Pausable(address(escrow)).pausedUntil(), 0, "lifted");
    }

    function test_a_seat_taken_again__begins_anew() public {
        openEpoch(0);
        vm.prank(seatAccount(3));
        seats.leave();
        eq(seats.member(seatAccount(3)).leftFrom, 2, "from epoch 2 on");
        openEpoch(2);
        vm.warp(startOf(2) + PROOF_WINDOW);
        seats.releaseStake(seatAccount(3));
        bytes memory encoded = abi.encode(SEAT_TYPE, seatAccount(3), seatSigner(9), seats.seatNonce(seatAccount(3)));
        bytes memory signature = signed(SEAT_KEY + 9, digestIn(address(seats), encoded));
        vm.prank(seatAccount(3));
        seats.join(seatSigner(9), "", 0, signature);
        eq(seats.member(seatAccount(3)).leftFrom, 0, "not left");
        eq(seats.member(seatAccount(3)).signer, seatSigner(9), "with its new key");
        isTrue(seats.signerUsed(seatSigner(3)), "the old one is spent");
    }

    function test_governance__is_nobody_elses() public {
        address[9] memory targets = [
            address(escrow), address(escrow), address(escrow), address(escrow), address(escrow), address(stake),
            address(registry), address(rewards), address(seats)
        ];
        bytes[9] memory calls = [
            abi.encodeWithSignature("listToken(address,uint128)", address(stake), 1),
            abi.encodeWithSignature("delistToken(address)", usd),
            abi.encodeWithSignature("setFee(uint16)", 1),
            abi.encodeWithSignature("collectFees(address,address)", usd, address(this)),
            abi.encodeWithSignature("recoverSurplus(address,address)", usd, address(this)),
            abi.encodeWithSignature("setBounty(uint16)", 1),
            abi.encodeWithSelector(registry.addProfile.selector, registry.profile(1)),
            abi.encodeWithSignature("veto(uint64)", 0),
            abi.encodeWithSignature("pauseEntry(uint40)", 1)
        ];
        bytes32 why = bytes32(bytes4(keccak256("AccessManagedUnauthorized(address)")));
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(address(0x57a6e4));
            (bool ok, bytes memory result) = targets[i].call(calls[i]);
            isTrue(!ok, "a stranger governs");
            eq(bytes32(bytes4(result)), why, "why");
        }
    }

    function test_a_schedule_without_eras__cannot_be_deployed() public {
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_BadBound.selector);
        vm.deployCode(
            "RewardsDistributor.sol:RewardsDistributor",
            abi.encode(authority, token, oracle, FIRST_EMISSION, uint32(0), uint16(8_000), uint128(5e18), CLAIM_DELAY)
        );
    }
}
