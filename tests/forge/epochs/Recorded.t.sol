// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Epochs} from "../base/Epochs.sol";

/// @title What the contracts say of themselves is what was done: every field, to the second
contract RecordedTest is Epochs {
    function setUp() public {
        deployNetwork();
        joinSeats(4);
    }

    function test_views__before_genesis__epoch_0_and_nothing_known() public {
        vm.warp(genesis - 1);
        eq(oracle.currentEpoch(), 0, "before");
        vm.warp(genesis + EPOCH - 1);
        eq(oracle.currentEpoch(), 0, "last second of 0");
        vm.warp(genesis + EPOCH);
        eq(oracle.currentEpoch(), 1, "first second of 1");
        eq(oracle.epochSeed(0), bytes32(0), "no seed");
        (bytes32 root, uint32 count, uint32 signers, bytes32 drawn) = oracle.sealOf(0);
        eq(uint256(root) + count + signers + uint256(drawn), 0, "no seal");
        (uint32 setId, uint32 sealed_, uint32 reported_) = oracle.presence(0);
        eq(uint256(setId) + sealed_ + reported_, 0, "nobody");
        eq(uint256(oracle.epochState(0).phase), 0, "no phase");
    }

    /// @dev Blocks of one second, and more than one of them in it: an epoch may pass within a second.
    function test_epoch__within_one_second__as_good_as_another() public {
        vm.warp(startOf(0));
        vm.roll(block.number + 1);
        oracle.openEpoch(0);
        oracle.seal(0, 0, keccak256("s"), 7, quorumOver(sealDigest(0, 0, keccak256("s"), 7), 3));
        (bytes32 root, uint32 count, uint32 signers, bytes32 drawn) = oracle.sealOf(0);
        eq(root, keccak256("s"), "root");
        eq(count, 7, "count");
        eq(signers, 7, "three signers");
        eq(drawn, bytes32(0), "not drawn");
        vm.roll(block.number + DRAW_DELAY + 1);
        bytes32 rho = oracle.draw(0);
        (,,, drawn) = oracle.sealOf(0);
        eq(drawn, rho, "drawn");
        (bytes32 none, uint256 nothing, uint40 never, bool vetoed) = oracle.rewardsOf(0);
        eq(uint256(none) + nothing + never, 0, "not reported");
        isTrue(!vetoed, "nothing to veto");
        IEpochOracle.Report memory r = plainReport(0);
        r.rewardsTotal = 5e18;
        r.round = 3;
        postReport(r);
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        eq(uint256(s.phase), uint256(IEpochOracle.Phase.Reported), "phase");
        eq(s.openedAt, block.timestamp, "opened");
        eq(s.reportedAt, block.timestamp, "reported");
        eq(s.sealBlock, block.number - DRAW_DELAY - 1, "seal block");
        eq(s.sealCount, 7, "count");
        eq(s.sealSigners, 7, "sealed by");
        eq(s.reportSigners, 7, "reported by");
        eq(s.rewardsTotal, 5e18, "total");
        eq(s.rewardsRoot, keccak256("rewards"), "rewards");
        eq(s.devicesRoot, keccak256("devices"), "devices");
        eq(s.dataHash, keccak256("data"), "data");
        eq(s.sealRoot, keccak256("s"), "seal");
        eq(s.rho, rho, "rho");
        (bytes32 rewardsRoot, uint256 total, uint40 at,) = oracle.rewardsOf(0);
        eq(rewardsRoot, keccak256("rewards"), "rewards");
        eq(total, 5e18, "total");
        eq(at, block.timestamp, "at");
        (, uint32 sealedBy, uint32 reportedBy) = oracle.presence(0);
        eq(sealedBy, 7, "sealed by");
        eq(reportedBy, 7, "reported by");
        // Late signatures are over all that was accepted: the total and the round as well.
        oracle.addSignatures(0, true, 3, quorumOf(reportDigest(r), 8));
        (,, reportedBy) = oracle.presence(0);
        eq(reportedBy, 15, "and the fourth");
    }
}
