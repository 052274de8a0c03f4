// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract SealTest is Steps {
    function test_seal__quorum_in_time__fixed_with_its_signers() public {
        openEpoch(0);
        IEpochOracle.Quorum memory q = quorumOf(sealDigest(0, 2, ROOT, 3), 0x5d);
        vm.expectEmit();
        emit IEpochOracle.EpochSealed(0, 2, ROOT, 3, 0x5d);
        oracle.seal(0, 2, ROOT, 3, q);
        (bytes32 root, uint32 count, uint32 signers, bytes32 rho) = oracle.sealOf(0);
        isTrue(root == ROOT && count == 3 && signers == 0x5d && rho == 0, "sealed, not drawn");
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        eq(s.sealBlock, block.number, "block");
        eq(uint256(s.phase), uint256(IEpochOracle.Phase.Sealed), "phase");
    }

    function test_seal__epoch_never_opened__wrong_phase() public {
        vm.warp(startOf(0) + 1);
        sealFails(0, quorumOver(keccak256("any"), 5), wrongPhase(0, IEpochOracle.Phase.None));
    }

    function test_seal__a_second_time__wrong_phase() public {
        reachSealed(0);
        sealFails(0, sealQuorum(0), wrongPhase(0, IEpochOracle.Phase.Sealed));
    }

    function test_seal__last_second_and_the_one_after__sealed_and_too_late() public {
        openEpoch(0);
        IEpochOracle.Quorum memory q = sealQuorum(0);
        vm.warp(startOf(0) + SEAL_BY + 1);
        sealFails(0, q, tooLate(0, startOf(0) + SEAL_BY));
        vm.warp(startOf(0) + SEAL_BY);
        oracle.seal(0, 0, ROOT, 3, q);
    }

    function test_seal__devices_without_a_root_or_a_root_without_devices__refused() public {
        openEpoch(0);
        IEpochOracle.Quorum memory none;
        vm.expectRevert(zeroRoot(0));
        oracle.seal(0, 0, 0, 3, none);
        vm.expectRevert(zeroRoot(0));
        oracle.seal(0, 0, ROOT, 0, none);
    }

    function test_seal__no_device__accepted_for_the_uptime_of_leased_ones() public {
        openEpoch(0);
        sealEpoch(0, 0, 0);
        drawEpoch(0);
        postReport(plainReport(0));
        eq(uint256(oracle.epochState(0).phase), uint256(IEpochOracle.Phase.Reported), "reported");
    }
}
