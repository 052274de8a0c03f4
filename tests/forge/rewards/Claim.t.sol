// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Earnings} from "../base/Earnings.sol";
import {Trees} from "../base/Trees.sol";

contract ClaimTest is Earnings {
    function setUp() public override {
        super.setUp();
        reported(0, 1e18, 2e18);
        vm.warp(reportedAt(0) + CLAIM_DELAY);
    }

    function notInReport(address who, uint64 e) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_NotInReport.selector, who, e);
    }

    function test_claim__delay_not_over__too_early_to_the_second() public {
        uint256 opens = reportedAt(0) + CLAIM_DELAY;
        eq(rewards.claimableAt(0), opens, "foretold");
        vm.warp(opens - 1);
        claimFails(EARNER, 0, 1e18, 2e18, tooEarly(0, opens));
        vm.warp(opens);
        claim(EARNER, 0, 1e18, 2e18);
    }

    function test_claim__what_was_earned__minted_to_the_receiver() public {
        uint256 supply = token.totalSupply();
        vm.expectEmit();
        emit IRewardsDistributor.RewardsClaimed(EARNER, RECEIVER, 0, 1e18);
        eq(claim(EARNER, 0, 1e18, 2e18), 1e18, "amount");
        eq(token.balanceOf(RECEIVER), 1e18, "paid");
        eq(token.totalSupply() - supply, 1e18, "minted");
        eq(rewards.claimed(EARNER), 1e18, "claimed");
        eq(rewards.totalClaimed(), 1e18, "in all");
    }

    function test_claim__a_second_time__nothing_due() public {
        claim(EARNER, 0, 1e18, 2e18);
        claimFails(
            EARNER,
            0,
            1e18,
            2e18,
            abi.encodeWithSelector(
                IRewardsDistributor.RewardsDistributor_NothingDue.selector, EARNER, uint256(1e18), uint256(1e18)
            )
        );
    }

    function test_claim__later_report__pays_cumulative_less_claimed() public {
        claim(EARNER, 0, 1e18, 2e18);
        reported(1, 5e18, 2e18);
        reported(2, 6e18, 9e18);
        vm.warp(reportedAt(2) + CLAIM_DELAY);
        eq(claim(EARNER, 2, 6e18, 9e18), 5e18, "what two epochs brought");
        eq(claim(OTHER, 2, 6e18, 9e18), 9e18, "one proof for all epochs");
        eq(token.balanceOf(RECEIVER), 15e18, "the total");
    }

    function test_claim__earlier_report_than_the_last_claim__nothing_due() public {
        reported(1, 5e18, 2e18);
        vm.warp(reportedAt(1) + CLAIM_DELAY);
        claim(EARNER, 1, 5e18, 2e18);
        claimFails(
            EARNER,
            0,
            1e18,
            2e18,
            abi.encodeWithSelector(
                IRewardsDistributor.RewardsDistributor_NothingDue.selector, EARNER, uint256(1e18), uint256(5e18)
            )
        );
    }

    function test_claim__somebody_elses_or_a_larger_share__not_in_report() public {
        bytes32[] memory proof = Trees.sortedProof(leaves(1e18, 2e18), 1);
        vm.prank(EARNER);
        vm.expectRevert(notInReport(EARNER, 0));
        rewards.claim(0, 2e18, proof, EARNER);
        proof = Trees.sortedProof(leaves(1e18, 2e18), 0);
        vm.prank(EARNER);
        vm.expectRevert(notInReport(EARNER, 0));
        rewards.claim(0, 1e18 + 1, proof, EARNER);
    }

    function test_claim__no_receiver__refused() public {
        bytes32[] memory proof = Trees.sortedProof(leaves(1e18, 2e18), 0);
        vm.prank(EARNER);
        vm.expectRevert(abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_ZeroReceiver.selector));
        rewards.claim(0, 1e18, proof, address(0));
    }

    function test_claim__epoch_without_a_report__refused() public {
        claimFails(
            EARNER,
            7,
            1e18,
            2e18,
            abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_NoReport.selector, uint64(7))
        );
        eq(rewards.claimableAt(7), 0, "never");
    }

    function test_claim__report_overwritten__refused_and_the_last_one_pays() public {
        uint64 e = oracle.ringSize();
        reported(e, 1e18, 2e18);
        vm.warp(reportedAt(e) + CLAIM_DELAY);
        claimFails(
            EARNER,
            0,
            1e18,
            2e18,
            abi.encodeWithSelector(IRewardsDistributor.RewardsDistributor_NoReport.selector, uint64(0))
        );
        claim(EARNER, e, 1e18, 2e18);
    }
}
