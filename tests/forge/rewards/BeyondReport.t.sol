// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";
import {Trees} from "../base/Trees.sol";

/// @title Reports that say more than was earned, and roots that say more than their reports
contract BeyondReportTest is Earnings {
    function beyondReport(uint256 total, uint256 limit) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_BeyondReport.selector, total, limit);
    }

    /// @dev The network of one seat that it takes to report alone.
    function alone() internal {
        for (uint256 i = 1; i < 4; ++i) {
            vm.prank(seatAccount(i));
            seats.leave();
        }
    }

    function test_claim__one_seat_reports_a_leaf_of_100_epochs_and_a_total_of_zero__nothing() public {
        alone();
        drawn(99);
        IEpochOracle.Report memory r = plainReport(99);
        uint256 all = 100 * uint256(FIRST_EMISSION);
        r.rewardsRoot = Trees.standardLeaf(abi.encode(EARNER, all));
        postReport(r);
        vm.warp(reportedAt(99) + CLAIM_DELAY);
        vm.prank(EARNER);
        vm.expectRevert(beyondReport(all, 0));
        rewards.claim(99, all, new bytes32[](0), EARNER);
    }

    function test_report__fewer_than_four_seats__total_may_not_rise() public {
        vm.prank(seatAccount(3));
        seats.leave();
        drawn(0);
        postFails(reportOf(0, 1, 0, 1), beyondEmission(1, 0));
        post(0, 0, 0, 0);
    }

    function test_report__fewer_than_four_seats_after_more__total_stays_and_is_claimed() public {
        reported(0, 1e18, 2e18);
        vm.prank(seatAccount(3));
        seats.leave();
        openEpoch(2);
        drawn(3);
        postFails(reportOf(3, 2e18, 2e18, 4e18), beyondEmission(4e18, 3e18));
        post(3, 1e18, 2e18, 3e18);
        vm.warp(reportedAt(3) + CLAIM_DELAY);
        claim(EARNER, 3, 1e18, 2e18);
    }

    function test_claim__leaves_beyond_the_total__thief_takes_no_more_than_the_total() public {
        drawn(0);
        post(0, 100e18, 10e18, 10e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        claimFails(EARNER, 0, 100e18, 10e18, beyondReport(100e18, 10e18));
        claim(OTHER, 0, 100e18, 10e18);
        claimFails(EARNER, 0, 100e18, 10e18, beyondReport(110e18, 10e18));
        eq(token.minted(), GENESIS_MINT + 10e18, "minted");
    }

    function test_claim__leaves_beyond_the_total_and_honest_ones_after__later_earnings_untouched() public {
        drawn(0);
        post(0, 10e18, 10e18, 10e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        claim(EARNER, 0, 10e18, 10e18);
        claimFails(OTHER, 0, 10e18, 10e18, beyondReport(20e18, 10e18));
        // The next report puts it right, from the emission of its own epoch.
        reported(1, 10e18, 10e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        claim(OTHER, 1, 10e18, 10e18);
    }

    function test_claim__leaf_as_large_as_numbers_go__refused_by_name() public {
        reported(0, 1e18, 2e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
        claim(OTHER, 0, 1e18, 2e18);
        drawn(1);
        post(1, type(uint256).max, 2e18, 3e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        claimFails(EARNER, 1, type(uint256).max, 2e18, beyondReport(type(uint256).max, 3e18));
    }

    function test_claim__report_older_than_what_others_claimed_against__newer_one_pays() public {
        reported(0, 1e18, 2e18);
        reported(1, 1e18, 9e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        claim(OTHER, 1, 1e18, 9e18);
        claimFails(EARNER, 0, 1e18, 2e18, beyondReport(10e18, 3e18));
        claim(EARNER, 1, 1e18, 9e18);
    }

    function test_report__emission_of_its_epoch__to_the_unit() public {
        drawn(0);
        postFails(reportOf(0, 100e18 + 1, 0, 100e18 + 1), beyondEmission(100e18 + 1, 100e18));
        post(0, 100e18, 0, 100e18);
        drawn(1);
        postFails(reportOf(1, 200e18 + 1, 0, 200e18 + 1), beyondEmission(200e18 + 1, 200e18));
        post(1, 200e18, 0, 200e18);
        eq(countedTotal(), 200e18, "two epochs");
    }

    function test_report__epochs_long_past_never_reported__their_emission_is_gone() public {
        reported(0, 1e18, 0);
        drawn(500);
        postFails(reportOf(500, 101e18 + 1, 0, 101e18 + 1), beyondEmission(101e18 + 1, 101e18));
        post(500, 101e18, 0, 101e18);
    }

    function test_report__epoch_before_it_went_void__emission_of_that_is_gone() public {
        drawn(0);
        vm.warp(startOf(0) + REPORT_BY + 1);
        oracle.voidEpoch(0);
        drawn(2);
        postFails(reportOf(2, 200e18, 0, 200e18), beyondEmission(200e18, 100e18));
    }

    function test_report__last_one_took_less_than_it_might__the_rest_is_gone() public {
        reported(0, 1, 0);
        drawn(1);
        postFails(reportOf(1, 200e18, 0, 200e18), beyondEmission(200e18, 100e18 + 1));
    }

    function test_report__last_one_vetoed__its_emission_is_gone() public {
        reported(0, 5e18, 0);
        reported(1, 105e18, 0);
        veto(1);
        drawn(2);
        postFails(reportOf(2, 205e18, 0, 205e18), beyondEmission(205e18, 105e18));
        post(2, 105e18, 0, 105e18);
    }

    /// @dev The report of epoch 1 was signed on top of that of epoch 0, and is mined after the veto.
    function test_report__goes_on_from_one_that_is_vetoed_before_it_is_mined__refused() public {
        reportedLate(0, 100e18, 0);
        drawn(1);
        veto(0);
        postFails(reportOf(1, 101e18, 0, 101e18), beyondEmission(101e18, 100e18));
    }

    function test_report__total_beyond_what_fits__refused_whatever_the_schedule() public {
        uint256 most = type(uint96).max;
        vm.mockCall(
            address(rewards),
            abi.encodeWithSelector(IRewardsDistributor.emissionOf.selector),
            abi.encode(uint256(type(uint128).max))
        );
        drawn(0);
        postFails(reportOf(0, 0, 0, most + 1), beyondEmission(most + 1, type(uint128).max));
        post(0, 0, 0, most);
        eq(countedTotal(), most, "the most that fits");
    }
}
