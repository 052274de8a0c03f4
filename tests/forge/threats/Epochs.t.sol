// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Epochs} from "../base/Epochs.sol";
import {Trees} from "../base/Trees.sol";

/// @title Threats on the quorum: the course of epochs
contract EpochThreats is Epochs {
    function setUp() public {
        deployNetwork();
        joinSeats(7);
    }

    function sealedAndDrawn(uint64 epoch) internal {
        openEpoch(epoch);
        sealEpoch(epoch, keccak256("sealed"), 2);
        drawEpoch(epoch);
    }

    function refusedReport(IEpochOracle.Report memory r, bytes4 selector) internal {
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 5);
        vm.expectPartialRevert(selector);
        oracle.report(r, q);
    }

    function test_two_reports_for_one_epoch__reverts() public {
        sealedAndDrawn(0);
        postReport(plainReport(0));
        refusedReport(plainReport(0), IEpochOracle.EpochOracle_WrongPhase.selector);
    }

    function test_two_seals_for_one_epoch__reverts() public {
        openEpoch(0);
        sealEpoch(0, keccak256("sealed"), 2);
        IEpochOracle.Quorum memory q = quorumOver(sealDigest(0, 1, keccak256("other"), 2), 5);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.seal(0, 1, keccak256("other"), 2, q);
    }

    function test_an_epoch_opened_twice__reverts() public {
        openEpoch(0);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.openEpoch(0);
    }

    function test_an_epoch_opened_early_or_late__reverts() public {
        vm.warp(startOf(1) - 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooEarly.selector);
        oracle.openEpoch(1);
        vm.warp(startOf(1) + OPEN_BY + 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooLate.selector);
        oracle.openEpoch(1);
        vm.warp(startOf(1) + OPEN_BY);
        oracle.openEpoch(1);
        vm.warp(startOf(2));
        oracle.openEpoch(2);
    }

    function test_an_epoch_skipped__holds_up_nothing() public {
        sealedAndDrawn(0);
        postReport(plainReport(0));
        sealedAndDrawn(3);
        postReport(plainReport(3));
        eq(uint256(oracle.epochState(1).phase), uint256(IEpochOracle.Phase.None), "skipped");
        eq(uint256(oracle.epochState(3).phase), uint256(IEpochOracle.Phase.Reported), "reported");
    }

    function test_a_stale_epoch__takes_no_report_after_a_later_one() public {
        sealedAndDrawn(0);
        openEpoch(1);
        vm.warp(startOf(1) + 400);
        bytes32 d = sealDigest(1, 0, keccak256("s"), 1);
        oracle.seal(1, 0, keccak256("s"), 1, quorumOver(d, 5));
        // Epoch 0 may report until the middle of epoch 1; epoch 1 cannot overtake it before it is drawn.
        vm.roll(block.number + DRAW_DELAY + 1);
        oracle.draw(1);
        postReport(plainReport(1));
        refusedReport(plainReport(0), IEpochOracle.EpochOracle_OutOfOrder.selector);
    }

    function test_a_void_epoch__takes_nothing_more_and_stays_provable() public {
        openEpoch(0);
        vm.warp(startOf(0) + SEAL_BY);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_NotDue.selector);
        oracle.voidEpoch(0);
        vm.warp(startOf(0) + SEAL_BY + 1);
        oracle.voidEpoch(0);
        IEpochOracle.Quorum memory q = quorumOver(sealDigest(0, 0, keccak256("s"), 1), 5);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.seal(0, 0, keccak256("s"), 1, q);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.voidEpoch(0);
        isTrue(oracle.provable(0), "provable");
        eq(uint256(oracle.epochState(0).phase), uint256(IEpochOracle.Phase.Void), "void");
        sealedAndDrawn(1);
        postReport(plainReport(1));
    }

    function test_each_deadline_passed__voids_and_none_before() public {
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.voidEpoch(0);
        openEpoch(0);
        sealEpoch(0, keccak256("s"), 1);
        vm.warp(startOf(0) + DRAW_BY);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_NotDue.selector);
        oracle.voidEpoch(0);
        vm.warp(startOf(0) + DRAW_BY + 1);
        vm.roll(block.number + 9);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooLate.selector);
        oracle.draw(0);
        oracle.voidEpoch(0);
        sealedAndDrawn(1);
        vm.warp(startOf(1) + REPORT_BY);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_NotDue.selector);
        oracle.voidEpoch(1);
        vm.warp(startOf(1) + REPORT_BY + 1);
        refusedReport(plainReport(1), IEpochOracle.EpochOracle_TooLate.selector);
        oracle.voidEpoch(1);
        eq(uint256(oracle.epochState(1).phase), uint256(IEpochOracle.Phase.Void), "void");
        (bytes32 root,,,) = oracle.rewardsOf(1);
        eq(root, bytes32(0), "a void epoch pays nobody");
    }

    function test_a_seal_after_its_time__reverts() public {
        openEpoch(0);
        vm.warp(startOf(0) + SEAL_BY + 1);
        IEpochOracle.Quorum memory q = quorumOver(sealDigest(0, 0, keccak256("s"), 1), 5);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooLate.selector);
        oracle.seal(0, 0, keccak256("s"), 1, q);
        vm.warp(startOf(0) + SEAL_BY);
        oracle.seal(0, 0, keccak256("s"), 1, q);
    }

    function test_a_draw_before_its_block__reverts_and_the_caller_changes_nothing() public {
        openEpoch(0);
        sealEpoch(0, keccak256("s"), 1);
        uint256 sealed_ = block.number;
        vm.roll(sealed_ + DRAW_DELAY);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_TooEarly.selector);
        oracle.draw(0);
        vm.roll(sealed_ + DRAW_DELAY + 1);
        uint256 state = vm.snapshotState();
        bytes32 here = oracle.draw(0);
        vm.revertToState(state);
        vm.roll(sealed_ + DRAW_DELAY + 40);
        vm.warp(block.timestamp + 20);
        vm.prank(address(0xca11));
        eq(oracle.draw(0), here, "rho");
        eq(here, keccak256(abi.encodePacked(blockhash(sealed_ + DRAW_DELAY), keccak256("s"))), "rho is as specified");
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.draw(0);
    }

    function test_a_draw_whose_blockhash_is_gone__reverts() public {
        openEpoch(0);
        sealEpoch(0, keccak256("s"), 1);
        vm.roll(block.number + 20_000);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BlockhashGone.selector);
        oracle.draw(0);
    }

    function test_a_report_before_the_draw__reverts() public {
        openEpoch(0);
        sealEpoch(0, keccak256("s"), 1);
        refusedReport(plainReport(0), IEpochOracle.EpochOracle_WrongPhase.selector);
    }

    function test_a_report_signed_for_another_rho_or_round__reverts() public {
        sealedAndDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 5);
        r.round = 1;
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.report(r, q);
        r.round = 0;
        r.dataHash = keccak256("other data");
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.report(r, q);
    }

    function test_a_report_without_roots__reverts() public {
        sealedAndDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = 0;
        refusedReport(r, IEpochOracle.EpochOracle_ZeroRoot.selector);
        r = plainReport(0);
        (r.rewardsRoot, r.rewardsTotal) = (0, 1);
        refusedReport(r, IEpochOracle.EpochOracle_ZeroRoot.selector);
    }

    function test_rewards_beyond_the_schedule_or_shrinking__reverts() public {
        sealedAndDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.rewardsTotal = rewards.scheduleLimit(0) + 1;
        refusedReport(r, IEpochOracle.EpochOracle_RewardsBeyondSchedule.selector);
        r.rewardsTotal = rewards.scheduleLimit(0);
        postReport(r);
        sealedAndDrawn(1);
        r = plainReport(1);
        r.rewardsTotal -= 1;
        refusedReport(r, IEpochOracle.EpochOracle_RewardsShrank.selector);
    }

    function test_the_beacon_and_the_seed__are_as_specified() public {
        vm.warp(startOf(0) + 1);
        vm.prevrandao(keccak256("randao"));
        bytes32 beacon = oracle.openEpoch(0);
        bytes32 expected = keccak256(
            abi.encodePacked(keccak256("randao"), blockhash(block.number - 1), uint256(0), bytes32(0))
        );
        eq(beacon, expected, "beacon");
        bytes32 seed = keccak256(
            abi.encodePacked("assay.B", block.chainid, uint256(uint160(address(oracle))), uint256(0), beacon)
        );
        eq(oracle.epochSeed(0), seed, "seed");
    }

    function test_the_ring__forgets_what_it_overwrites_and_keeps_the_proof_window() public {
        sealedAndDrawn(0);
        postReport(plainReport(0));
        uint64 size = oracle.ringSize();
        isTrue(uint256(size) * EPOCH > PROOF_WINDOW + EPOCH, "longer than the proof window");
        vm.warp(startOf(1) + PROOF_WINDOW);
        isTrue(oracle.provable(0), "to the last second");
        vm.warp(startOf(1) + PROOF_WINDOW + 1);
        isTrue(!oracle.provable(0), "not after");
        openEpoch(size);
        eq(oracle.epochSeed(0), bytes32(0), "overwritten");
        (bytes32 root, uint32 count, uint32 signers, bytes32 rho) = oracle.sealOf(size);
        isTrue(root == 0 && count == 0 && signers == 0 && rho == 0, "nothing of the old epoch shows in the new");
        (bytes32 rewardsRoot,,,) = oracle.rewardsOf(size);
        eq(rewardsRoot, bytes32(0), "nor its rewards");
        (, uint32 sealSigners, uint32 reportSigners) = oracle.presence(size);
        isTrue(sealSigners == 0 && reportSigners == 0, "nor its signers");
        IEpochOracle.EpochState memory s = oracle.epochState(size);
        isTrue(s.rho == 0 && s.sealRoot == 0 && s.devicesRoot == 0 && s.rewardsRoot == 0 && s.dataHash == 0, "state");
        isTrue(s.reportedAt == 0 && s.reportSigners == 0 && s.sealBlock == 0 && s.rewardsTotal == 0, "state");
    }

    function test_a_device_leaf__stands_only_in_the_report_of_its_epoch() public {
        IEpochOracle.DeviceLeaf memory leaf =
            IEpochOracle.DeviceLeaf(0, keccak256("device"), 0, 1, 500, 0, 10_000, 1, keccak256("result"));
        IEpochOracle.DeviceLeaf[] memory list = new IEpochOracle.DeviceLeaf[](2);
        list[0] = leaf;
        list[1] = leaf;
        list[1].deviceId = keccak256("device 2");
        leaf.deviceId = keccak256("device");
        list[0] = IEpochOracle.DeviceLeaf(0, keccak256("device"), 0, 1, 500, 0, 10_000, 1, keccak256("result"));
        runEpoch(0, noLeaves(), list, 700);
        bytes32[] memory proof = Trees.sortedProof(deviceLeaves(list), 0);
        isTrue(oracle.verifyDevice(list[0], proof), "in the report");
        list[0].epoch = 1;
        isTrue(!oracle.verifyDevice(list[0], proof), "another epoch");
        list[0].epoch = oracle.ringSize();
        isTrue(!oracle.verifyDevice(list[0], proof), "the same place of the ring");
        list[0].epoch = 0;
        list[0].flags = 3;
        isTrue(!oracle.verifyDevice(list[0], proof), "other flags");
        list[0].flags = 1;
        isTrue(!oracle.verifyDevice(list[0], new bytes32[](0)), "no proof");
        sealedAndDrawn(1);
        list[0].epoch = 1;
        isTrue(!oracle.verifyDevice(list[0], proof), "an epoch without a report");
    }
}
