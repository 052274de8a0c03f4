// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";

contract VetoTest is Earnings {
    function vetoed(uint64 e) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_Vetoed.selector, e);
    }

    function noReport(uint64 e) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_NoReport.selector, e);
    }

    function vetoTooLate(uint64 e, uint256 closedAt) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            IRewardsDistributor.RewardsDistributor_VetoTooLate.selector, e, closedAt, block.timestamp
        );
    }

    function unauthorized(address who) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("AccessManagedUnauthorized(address)", who);
    }

    /// @dev Reports of epochs 0, 1 and 2, the last two within one claim delay.
    function threeReports() internal {
        reported(0, 1e18, 2e18);
        drawn(1);
        drawn(2);
        post(1, 9e18, 2e18, 11e18);
        post(2, 9e18, 3e18, 12e18);
    }

    function test_veto__within_the_delay__nothing_is_paid_against_that_root() public {
        reported(0, 1e18, 2e18);
        (bytes32 root,,,) = oracle.rewardsOf(0);
        vm.warp(reportedAt(0) + CLAIM_DELAY - 1);
        vm.expectEmit();
        emit IRewardsDistributor.RewardsVetoed(0, root);
        veto(0);
        isTrue(rewards.vetoed(0), "vetoed");
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        claimFails(EARNER, 0, 1e18, 2e18, vetoed(0));
    }

    function test_veto__delay_over__too_late() public {
        reported(0, 1e18, 2e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        vetoFails(0, vetoTooLate(0, reportedAt(0) + CLAIM_DELAY));
    }

    function test_veto__no_report__refused() public {
        reported(0, 1e18, 2e18);
        vetoFails(1, noReport(1));
    }

    function test_veto__same_epoch_twice__refused() public {
        reported(0, 1e18, 2e18);
        veto(0);
        vetoFails(0, vetoed(0));
        vm.expectRevert(vetoed(0));
        rewards.vetoByTimelock(0);
    }

    function test_veto__not_the_guardian__unauthorized() public {
        reported(0, 1e18, 2e18);
        vm.prank(address(0x57a6e4));
        vm.expectRevert(unauthorized(address(0x57a6e4)));
        rewards.veto(0);
        vm.expectRevert(unauthorized(address(this)));
        rewards.veto(0);
    }

    function test_veto__next_report__goes_on_from_the_last_that_counts() public {
        reported(0, 1e18, 2e18);
        reported(1, 9e18, 2e18);
        veto(1);
        eq(countedTotal(), 3e18, "the last that counts");
        (, uint64 last,) = oracle.lastReport();
        eq(last, 1, "epochs do not go back");
        drawn(2);
        postFails(
            reportOf(2, 1e18, 2e18 - 1, 3e18 - 1),
            abi.encodeWithSelector(
                IEpochOracle.EpochOracle_RewardsShrank.selector, uint256(3e18 - 1), uint256(3e18)
            )
        );
        post(2, 1e18, 2e18, 3e18);
        vm.warp(reportedAt(2) + CLAIM_DELAY);
        claim(EARNER, 2, 1e18, 2e18);
    }

    function test_veto__reports_went_on_from_it__vetoed_with_it() public {
        threeReports();
        vm.expectEmit();
        emit IRewardsDistributor.RewardsVetoed(1, reportOf(1, 9e18, 2e18, 0).rewardsRoot);
        vm.expectEmit();
        emit IRewardsDistributor.RewardsVetoed(2, reportOf(2, 9e18, 3e18, 0).rewardsRoot);
        veto(1);
        isTrue(rewards.vetoed(1) && rewards.vetoed(2) && !rewards.vetoed(0), "both");
        eq(countedTotal(), 3e18, "what was vetoed lives on in no total");
        vm.warp(reportedAt(2) + CLAIM_DELAY);
        claimFails(EARNER, 2, 9e18, 3e18, vetoed(2));
        claim(EARNER, 0, 1e18, 2e18);
    }

    function test_veto__the_later_first_and_then_the_earlier__each_once() public {
        threeReports();
        veto(2);
        eq(countedTotal(), 11e18, "the one before");
        vm.recordLogs();
        veto(1);
        eq(vm.getRecordedLogs().length, 1, "the later was vetoed already");
        eq(countedTotal(), 3e18, "the one before that");
    }

    function test_veto__every_report__leaves_no_floor() public {
        reported(0, 1e18, 2e18);
        veto(0);
        eq(countedTotal(), 0, "none");
    }

    function test_veto__first_report_after_a_long_outage__total_goes_on_from_before_it() public {
        reported(0, 1e18, 2e18);
        uint64 e = oracle.ringSize() + 3;
        reported(e, 2e18, 2e18);
        veto(e);
        eq(countedTotal(), 3e18, "as it was");
    }

    function test_veto__last_that_counted_overwritten_by_the_vetoed_one__total_goes_on_from_it() public {
        reported(0, 1e18, 2e18);
        reported(1, 2e18, 2e18);
        uint64 e = oracle.ringSize() + 1;
        reported(e, 9e18, 2e18);
        veto(e);
        eq(countedTotal(), 4e18, "that of epoch 1, no longer kept");
    }

    function test_veto__vetoed_report_overwritten__its_total_never_comes_back() public {
        reported(0, 1e18, 2e18);
        reported(1, 50e18, 2e18);
        veto(1);
        uint64 e = oracle.ringSize() + 1;
        reported(e, 1e18, 2e18);
        veto(e);
        eq(countedTotal(), 3e18, "that of epoch 0");
    }

    function test_veto__last_that_counted_overwritten_and_an_older_one_kept__later_total_counts() public {
        reported(3, 1e18, 2e18);
        reported(5, 2e18, 2e18);
        uint64 e = oracle.ringSize() + 5;
        reported(e, 9e18, 2e18);
        veto(e);
        eq(countedTotal(), 4e18, "that of epoch 5, though epoch 3's is still there");
    }

    function test_veto_by_timelock__before_it_can_be_claimed__vetoed() public {
        reported(0, 1e18, 2e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY - 1);
        rewards.vetoByTimelock(0);
        isTrue(rewards.vetoed(0), "vetoed");
        eq(countedTotal(), 0, "counts no more");
    }

    function test_veto_by_timelock__claimable__too_late() public {
        reported(0, 1e18, 2e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        vm.expectRevert(vetoTooLate(0, reportedAt(0) + CLAIM_DELAY));
        rewards.vetoByTimelock(0);
    }

    function test_veto_by_timelock__the_guardian__unauthorized() public {
        reported(0, 1e18, 2e18);
        vm.prank(GUARDIAN);
        vm.expectRevert(unauthorized(GUARDIAN));
        rewards.vetoByTimelock(0);
    }

    function test_veto_by_timelock__no_report__refused() public {
        vm.expectRevert(noReport(3));
        rewards.vetoByTimelock(3);
    }

    function test_mark_vetoed__anybody_but_the_distributor__refused() public {
        reported(0, 1e18, 2e18);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NotSchedule.selector, GUARDIAN));
        oracle.markVetoed(0);
    }

    function test_mark_vetoed__epoch_without_a_report__wrong_phase() public {
        drawn(0);
        vm.prank(address(rewards));
        vm.expectRevert(
            abi.encodeWithSelector(
                IEpochOracle.EpochOracle_WrongPhase.selector, uint64(0), IEpochOracle.Phase.Drawn
            )
        );
        oracle.markVetoed(0);
    }

    function test_mark_vetoed__several__epochs_and_how_many_in_a_row() public {
        threeReports();
        vm.prank(address(rewards));
        (uint64[] memory now_, uint256 inARow) = oracle.markVetoed(2);
        isTrue(now_.length == 1 && now_[0] == 2 && inARow == 1, "one");
        vm.prank(address(rewards));
        (now_, inARow) = oracle.markVetoed(0);
        isTrue(now_.length == 2 && now_[0] == 0 && now_[1] == 1 && inARow == 3, "two more, three in a row");
    }
}
