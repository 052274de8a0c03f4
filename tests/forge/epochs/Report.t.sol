// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract ReportTest is Steps {
    function test_report__quorum_in_time__kept_with_its_signers() public {
        reachDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        (r.rewardsTotal, r.round) = (7, 3);
        IEpochOracle.Quorum memory q = quorumOf(reportDigest(r), 0x5d);
        vm.expectEmit();
        emit IEpochOracle.EpochReported(0, 3, r.devicesRoot, r.rewardsRoot, 7, r.dataHash, 0x5d);
        oracle.report(r, q);
        IEpochOracle.EpochState memory s = oracle.epochState(0);
        eq(uint256(s.phase), uint256(IEpochOracle.Phase.Reported), "phase");
        isTrue(s.devicesRoot == r.devicesRoot && s.rewardsRoot == r.rewardsRoot && s.dataHash == r.dataHash, "roots");
        isTrue(s.rewardsTotal == 7 && s.reportedAt == block.timestamp && s.reportSigners == 0x5d, "the rest");
        (uint128 total, uint64 last, bool any) = oracle.lastReport();
        isTrue(total == 7 && last == 0 && any, "last");
    }

    function test_report__a_second_for_one_epoch__wrong_phase() public {
        reachDrawn(0);
        postReport(plainReport(0));
        reportFails(plainReport(0), wrongPhase(0, IEpochOracle.Phase.Reported));
    }

    function test_report__before_the_draw__wrong_phase() public {
        reachSealed(0);
        reportFails(plainReport(0), wrongPhase(0, IEpochOracle.Phase.Sealed));
    }

    function test_report__after_a_later_epochs__out_of_order() public {
        reachDrawn(0);
        reachSealed(1);
        vm.roll(block.number + DRAW_DELAY + 1);
        oracle.draw(1);
        postReport(plainReport(1));
        reportFails(
            plainReport(0),
            abi.encodeWithSelector(IEpochOracle.EpochOracle_OutOfOrder.selector, uint64(0), uint64(1))
        );
    }

    function test_report__last_second_and_the_one_after__reported_and_too_late() public {
        reachDrawn(1);
        vm.warp(startOf(1) + REPORT_BY + 1);
        reportFails(plainReport(1), tooLate(1, startOf(1) + REPORT_BY));
        vm.warp(startOf(1) + REPORT_BY);
        postReport(plainReport(1));
    }

    function test_report__signed_for_another_rho_round_or_content__refused() public {
        reachDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 5);
        r.round = 1;
        refused(r, q);
        r.round = 0;
        r.dataHash = keccak256("other data");
        refused(r, q);
        r = plainReport(0);
        r.devicesRoot = keccak256("other devices");
        refused(r, q);
        r = plainReport(0);
        r.rewardsTotal = 1;
        refused(r, q);
        r = plainReport(0);
        bytes memory encoded = abi.encode(
            REPORT_TYPE, uint64(0), uint32(1), uint32(0), keccak256("another rho"), r.devicesRoot, r.rewardsRoot, 0, r.dataHash
        );
        refused(r, quorumOver(digestIn(address(oracle), encoded), 5));
    }

    function test_report__no_quorum__refused() public {
        reachDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 4);
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_NoQuorum.selector, uint256(4), uint256(5))
        );
        oracle.report(r, q);
    }

    function test_report__without_roots__refused() public {
        reachDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.devicesRoot = 0;
        reportFails(r, zeroRoot(0));
        r = plainReport(0);
        (r.rewardsRoot, r.rewardsTotal) = (0, 1);
        reportFails(r, zeroRoot(0));
        r.rewardsTotal = 0;
        postReport(r);
    }

    function test_report__total_below_the_last__shrank() public {
        reachDrawn(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.rewardsTotal = 100;
        postReport(r);
        reachDrawn(1);
        r = plainReport(1);
        r.rewardsTotal = 99;
        reportFails(
            r, abi.encodeWithSelector(IEpochOracle.EpochOracle_RewardsShrank.selector, uint256(99), uint256(100))
        );
    }

    function refused(IEpochOracle.Report memory r, IEpochOracle.Quorum memory q) internal {
        vm.expectPartialRevert(IEpochOracle.EpochOracle_BadSignature.selector);
        oracle.report(r, q);
    }
}
