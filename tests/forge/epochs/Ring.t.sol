// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Trees} from "../base/Trees.sol";
import {Steps} from "./Steps.sol";

/// @title What the ring keeps and forgets, and whose leaf is whose
contract RingTest is Steps {
    function test_ring__proof_window__kept_to_its_last_second() public {
        reachDrawn(0);
        uint64 size = oracle.ringSize();
        isTrue(uint256(size) * EPOCH > PROOF_WINDOW + EPOCH, "longer than the proof window");
        vm.warp(startOf(1) + PROOF_WINDOW);
        isTrue(oracle.provable(0), "to the last second");
        vm.warp(startOf(1) + PROOF_WINDOW + 1);
        isTrue(!oracle.provable(0), "not after");
    }

    function test_ring__epoch_overwritten__forgotten_and_nothing_of_it_in_the_new() public {
        reachDrawn(0);
        postReport(plainReport(0));
        uint64 size = oracle.ringSize();
        openEpoch(size);
        eq(oracle.epochSeed(0), bytes32(0), "overwritten");
        eq(uint256(oracle.epochState(0).phase), uint256(IEpochOracle.Phase.None), "no state");
        isTrue(!oracle.provable(0), "not provable");
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

    function test_ring__report__kept_until_another_takes_its_place() public {
        reachDrawn(0);
        postReport(plainReport(0));
        uint64 size = oracle.ringSize();
        reachDrawn(size);
        (bytes32 root,,,) = oracle.rewardsOf(0);
        isTrue(root != 0 && oracle.devicesRootOf(0) != 0, "kept while the new epoch has none");
        postReport(plainReport(size));
        (root,,,) = oracle.rewardsOf(0);
        isTrue(root == 0 && oracle.devicesRootOf(0) == 0, "overwritten");
        (,, uint32 reportSigners) = oracle.presence(size);
        eq(reportSigners, 0x1f, "the new one's");
    }

    function devices() internal pure returns (IEpochOracle.DeviceLeaf[] memory list) {
        list = new IEpochOracle.DeviceLeaf[](2);
        list[0] = IEpochOracle.DeviceLeaf(0, keccak256("device"), 0, 1, 500, 0, 10_000, 1, keccak256("result"));
        list[1] = IEpochOracle.DeviceLeaf(0, keccak256("device 2"), 0, 1, 500, 0, 10_000, 1, keccak256("result"));
    }

    function test_verify_device__its_leaf_and_path__stands_in_the_report() public {
        runEpoch(0, noLeaves(), devices(), 700);
        isTrue(oracle.verifyDevice(devices()[0], Trees.sortedProof(deviceLeaves(devices()), 0)), "first");
        isTrue(oracle.verifyDevice(devices()[1], Trees.sortedProof(deviceLeaves(devices()), 1)), "second");
    }

    function test_verify_device__another_leaf_path_or_epoch__does_not() public {
        runEpoch(0, noLeaves(), devices(), 700);
        bytes32[] memory proof = Trees.sortedProof(deviceLeaves(devices()), 0);
        IEpochOracle.DeviceLeaf memory leaf = devices()[0];
        leaf.epoch = 1;
        isTrue(!oracle.verifyDevice(leaf, proof), "another epoch");
        leaf.epoch = oracle.ringSize();
        isTrue(!oracle.verifyDevice(leaf, proof), "the same place of the ring");
        leaf = devices()[0];
        leaf.flags = 3;
        isTrue(!oracle.verifyDevice(leaf, proof), "other flags");
        isTrue(!oracle.verifyDevice(devices()[0], new bytes32[](0)), "no proof");
        isTrue(!oracle.verifyDevice(devices()[1], proof), "another's proof");
        reachDrawn(1);
        leaf = devices()[0];
        leaf.epoch = 1;
        isTrue(!oracle.verifyDevice(leaf, proof), "an epoch without a report");
    }
}
