// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract AddSignaturesTest is Steps {
    function sealSigners() internal view returns (uint256 signers) {
        (, signers,) = oracle.presence(0);
    }

    function addFails(bool isReport, IEpochOracle.Quorum memory q, bytes memory why) internal {
        vm.expectRevert(why);
        oracle.addSignatures(0, isReport, 0, q);
    }

    function test_add_signatures__to_the_seal__counted_once() public {
        reachSealed(0);
        IEpochOracle.Quorum memory late = quorumOf(sealDigest(0, 0, ROOT, 3), 0x60);
        vm.expectEmit();
        emit IEpochOracle.SignaturesAdded(0, false, 0x7f);
        oracle.addSignatures(0, false, 0, late);
        oracle.addSignatures(0, false, 0, late);
        eq(sealSigners(), 0x7f, "all seven");
    }

    function test_add_signatures__to_the_report__counted_there_alone() public {
        reachDrawn(0);
        postReport(plainReport(0));
        oracle.addSignatures(0, true, 0, quorumOf(reportDigest(plainReport(0)), 0x40));
        (uint32 setId, uint32 sealed_, uint32 reported) = oracle.presence(0);
        isTrue(setId == 1 && sealed_ == 0x1f && reported == 0x5f, "presence");
    }

    function test_add_signatures__made_for_another_round__counted() public {
        reachSealed(0);
        oracle.addSignatures(0, false, 4, quorumOf(sealDigest(0, 4, ROOT, 3), 0x40));
        eq(sealSigners(), 0x5f, "whatever round it waited for");
    }

    function test_add_signatures__of_something_else__refused() public {
        reachSealed(0);
        IEpochOracle.Quorum memory q = quorumOf(sealDigest(0, 0, keccak256("other"), 3), 0x40);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.addSignatures(0, false, 0, q);
    }

    function test_add_signatures__of_the_seal_to_the_report__refused() public {
        reachDrawn(0);
        postReport(plainReport(0));
        IEpochOracle.Quorum memory q = quorumOf(sealDigest(0, 0, ROOT, 3), 0x40);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.addSignatures(0, true, 0, q);
    }

    function test_add_signatures__none__refused() public {
        reachSealed(0);
        addFails(
            false,
            IEpochOracle.Quorum(0, ""),
            abi.encodeWithSelector(IEpochOracle.EpochOracle_NoQuorum.selector, uint256(0), uint256(1))
        );
    }

    function test_add_signatures__before_what_they_sign__wrong_phase() public {
        IEpochOracle.Quorum memory none;
        addFails(false, none, wrongPhase(0, IEpochOracle.Phase.None));
        addFails(true, none, wrongPhase(0, IEpochOracle.Phase.None));
        openEpoch(0);
        addFails(false, none, wrongPhase(0, IEpochOracle.Phase.Open));
        addFails(true, none, wrongPhase(0, IEpochOracle.Phase.Open));
        sealEpoch(0, ROOT, 3);
        addFails(true, none, wrongPhase(0, IEpochOracle.Phase.Sealed));
        drawEpoch(0);
        addFails(true, none, wrongPhase(0, IEpochOracle.Phase.Drawn));
    }

    function test_add_signatures__to_a_seal__as_long_as_it_can_be_drawn() public {
        reachSealed(0);
        IEpochOracle.Quorum memory late = quorumOf(sealDigest(0, 0, ROOT, 3), 0x40);
        vm.warp(startOf(0) + DRAW_BY + 1);
        addFails(false, late, tooLate(0, startOf(0) + DRAW_BY));
        vm.warp(startOf(0) + DRAW_BY);
        oracle.addSignatures(0, false, 0, late);
    }

    function test_add_signatures__to_a_report_of_the_last_second__an_epoch_after_the_draw() public {
        reachDrawn(0);
        vm.warp(startOf(0) + REPORT_BY);
        postReport(plainReport(0));
        IEpochOracle.Quorum memory late = quorumOf(reportDigest(plainReport(0)), 0x40);
        vm.warp(startOf(1) + DRAW_BY + 1);
        addFails(true, late, tooLate(0, startOf(1) + DRAW_BY));
        vm.warp(startOf(1) + DRAW_BY);
        oracle.addSignatures(0, true, 0, late);
    }
}
