// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";

/// @title A guardian that vetoes for ever
/// @dev Reports come 400 seconds into their epoch of 1,000; claim delay 300, long claim delay 6,000.
contract GuardianForEverTest is Earnings {
    uint64 internal next;

    function report() internal returns (uint64 e) {
        e = next++;
        reported(e, earned(e), 0);
    }

    function earned(uint64 e) internal pure returns (uint256) {
        return (uint256(e) + 1) * 1e18;
    }

    /// @dev Three reports vetoed one after the other; when the guardian may veto again.
    function suspend() internal returns (uint40 until) {
        for (uint256 i = 0; i < 3; ++i) veto(report());
        until = rewards.guardianSuspendedUntil();
        eq(until, block.timestamp + LONG_CLAIM_DELAY, "from now on");
    }

    function suspended(uint64 e, uint40 until) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IRewardsDistributor.RewardsDistributor_GuardianSuspended.selector, e, until
        );
    }

    function vetoTooLate(uint64 e, uint256 closedAt) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            IRewardsDistributor.RewardsDistributor_VetoTooLate.selector, e, closedAt, block.timestamp
        );
    }

    function test_veto__twenty_in_a_row__no_more_than_three() public {
        uint256 vetoes;
        for (uint256 i = 0; i < 6; ++i) {
            uint64 e = report();
            vm.prank(GUARDIAN);
            (bool ok,) = address(rewards).call(abi.encodeCall(rewards.veto, (e)));
            if (ok) ++vetoes;
        }
        eq(vetoes, 3, "then its time is over");
        eq(countedTotal(), 6e18, "the others count");
    }

    function test_veto__third_in_a_row__suspends_the_guardian() public {
        veto(report());
        veto(report());
        eq(rewards.guardianSuspendedUntil(), 0, "not yet");
        uint64 e = report();
        uint40 now_ = uint40(block.timestamp);
        vm.expectEmit();
        emit IRewardsDistributor.GuardianSuspended(now_, now_ + LONG_CLAIM_DELAY);
        veto(e);
        eq(rewards.guardianSuspendedUntil(), now_ + LONG_CLAIM_DELAY, "now");
        e = report();
        vetoFails(e, suspended(e, now_ + LONG_CLAIM_DELAY));
    }

    function test_veto__one_let_through_between__begins_anew() public {
        for (uint256 round = 0; round < 3; ++round) {
            veto(report());
            veto(report());
            report();
        }
        eq(rewards.guardianSuspendedUntil(), 0, "never three in a row");
        eq(countedTotal(), 9e18, "one of three counts");
    }

    function test_veto__epochs_without_a_report_between__still_in_a_row() public {
        veto(report());
        next += 2;
        veto(report());
        next += 1;
        veto(report());
        isTrue(rewards.guardianSuspendedUntil() != 0, "three reports in a row");
    }

    function test_veto__out_of_order_so_that_none_seems_in_a_row__counted_as_they_stand() public {
        // Reports of 0 and 1 within one claim delay, twice.
        veto(report());
        drawn(1);
        drawn(2);
        post(1, 1e18, 0, 1e18);
        post(2, 2e18, 0, 2e18);
        veto(2);
        eq(rewards.guardianSuspendedUntil(), 0, "one stands between");
        veto(1);
        isTrue(rewards.guardianSuspendedUntil() != 0, "0, 1 and 2");
    }

    function test_veto__fells_two_at_once_after_one__three_in_a_row() public {
        veto(report());
        drawn(1);
        drawn(2);
        post(1, 1e18, 0, 1e18);
        post(2, 2e18, 0, 2e18);
        veto(1);
        isTrue(rewards.vetoed(1) && rewards.vetoed(2), "both");
        isTrue(rewards.guardianSuspendedUntil() != 0, "suspended");
    }

    function test_veto__while_suspended__timelock_may_and_the_guardian_may_not() public {
        uint40 until = suspend();
        uint64 e = report();
        vetoFails(e, suspended(e, until));
        rewards.vetoByTimelock(e);
        isTrue(rewards.vetoed(e), "by the timelock");
        eq(rewards.guardianSuspendedUntil(), until, "which suspends nobody further");
    }

    function test_veto__report_made_before_the_suspension__not_the_guardians_any_more() public {
        veto(report());
        veto(report());
        drawn(2);
        drawn(3);
        post(2, 1e18, 0, 1e18);
        veto(2);
        uint40 until = rewards.guardianSuspendedUntil();
        vm.warp(block.timestamp + 1);
        post(3, 0, 0, 0);
        vetoFails(3, suspended(3, until));
    }

    function test_claim__report_while_suspended__waits_the_long_delay() public {
        suspend();
        uint64 e = report();
        uint256 opens = reportedAt(e) + LONG_CLAIM_DELAY;
        eq(rewards.claimableAt(e), opens, "foretold");
        vm.warp(opens - 1);
        claimFails(EARNER, e, earned(e), 0, tooEarly(e, opens));
        rewards.vetoByTimelock(e);
    }

    function test_claim__report_while_suspended_and_the_long_delay_over__paid() public {
        suspend();
        uint64 e = report();
        vm.warp(reportedAt(e) + LONG_CLAIM_DELAY);
        vm.expectRevert(vetoTooLate(e, block.timestamp));
        rewards.vetoByTimelock(e);
        eq(claim(EARNER, e, earned(e), 0), earned(e), "paid");
    }

    function test_claim__report_before_the_suspension__waits_the_short_delay() public {
        uint64 e = report();
        suspend();
        eq(rewards.claimableAt(e), reportedAt(e) + CLAIM_DELAY, "as it was");
        claim(EARNER, e, earned(e), 0);
    }

    function test_claim__report_in_the_second_of_the_third_veto__waits_the_long_delay() public {
        veto(report());
        veto(report());
        drawn(next);
        drawn(next + 1);
        post(next, 1e18, 0, 1e18);
        veto(next);
        post(next + 1, 0, 0, 0);
        eq(rewards.claimableAt(next + 1), block.timestamp + LONG_CLAIM_DELAY, "long");
    }

    function test_claim__report_after_the_suspension__never_before_those_of_the_suspension() public {
        uint40 until = suspend();
        while (startOf(next) + 400 < until) report();
        uint64 inside = next - 1;
        uint64 outside = report();
        isTrue(reportedAt(inside) < until && reportedAt(outside) >= until, "either side of its end");
        eq(rewards.claimableAt(inside), reportedAt(inside) + LONG_CLAIM_DELAY, "inside");
        eq(rewards.claimableAt(outside), uint256(until) + LONG_CLAIM_DELAY, "nobody goes round by the next report");
        while (startOf(next) + 400 + CLAIM_DELAY < uint256(until) + LONG_CLAIM_DELAY) report();
        uint64 later = report();
        eq(rewards.claimableAt(later), reportedAt(later) + CLAIM_DELAY, "then as always");
    }

    function test_veto__report_of_the_suspension_when_it_is_over__never_the_guardians() public {
        uint40 until = suspend();
        uint64 e = report();
        vm.warp(until);
        vetoFails(e, suspended(e, until));
    }

    function test_veto__report_after_the_suspension__the_guardians_for_the_short_delay() public {
        uint40 until = suspend();
        while (startOf(next) + 400 < until) report();
        uint64 e = report();
        uint256 state = vm.snapshotState();
        veto(e);
        isTrue(rewards.vetoed(e), "vetoed");
        vm.revertToState(state);
        vm.warp(reportedAt(e) + CLAIM_DELAY);
        vetoFails(e, vetoTooLate(e, reportedAt(e) + CLAIM_DELAY));
        rewards.vetoByTimelock(e);
    }

    function test_claim__second_suspension_begins__reports_of_the_first_keep_their_delay() public {
        uint40 until = suspend();
        while (startOf(next) + 400 < until) report();
        uint64 inside = next - 1;
        uint64 between = report();
        uint40 second = suspend();
        isTrue(second > until, "a second one");
        eq(rewards.claimableAt(inside), reportedAt(inside) + LONG_CLAIM_DELAY, "inside the first");
        eq(rewards.claimableAt(between), uint256(until) + LONG_CLAIM_DELAY, "between the two");
        uint64 e = report();
        eq(rewards.claimableAt(e), reportedAt(e) + LONG_CLAIM_DELAY, "inside the second");
    }

    /// @dev Whatever the guardian does, most reports stand: of each stretch of time as long as both delays, it fells what one claim
    /// delay and two reports hold.
    function test_veto__guardian_vetoes_whatever_it_can__most_reports_count_and_are_paid() public {
        uint256 standing;
        uint64 last;
        for (uint256 i = 0; i < 40; ++i) {
            uint64 e = next++;
            reported(e, (standing + 1) * 1e18, 0);
            vm.prank(GUARDIAN);
            (bool ok,) = address(rewards).call(abi.encodeCall(rewards.veto, (e)));
            if (!ok) (standing, last) = (standing + 1, e);
        }
        isTrue(standing >= 24, "most");
        vm.warp(rewards.claimableAt(last));
        eq(claim(EARNER, last, standing * 1e18, 0), standing * 1e18, "paid in the end");
    }

    function test_claimable_at__reports_in_any_order_of_vetoes__never_earlier_than_that_of_one_before(uint256 seed)
        public
    {
        uint256 before;
        for (uint256 i = 0; i < 24; ++i) {
            uint64 e = report();
            isTrue(rewards.claimableAt(e) >= before, "not before an earlier one");
            before = rewards.claimableAt(e);
            if ((seed >> i) & 1 == 0) continue;
            vm.prank(GUARDIAN);
            (bool ok,) = address(rewards).call(abi.encodeCall(rewards.veto, (e)));
            if (!ok && (seed >> (i + 24)) & 1 == 1) rewards.vetoByTimelock(e);
        }
    }
}
