// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Epochs} from "../base/Epochs.sol";
import {Trees} from "../base/Trees.sol";

/// @title Threats on the quorum: rewards
contract RewardThreats is Epochs {
    address internal constant EARNER = address(0xea);
    address internal constant OTHER = address(0xeb);

    function setUp() public {
        deployNetwork();
        joinSeats(4);
    }

    function leaves(uint256 a, uint256 b) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](2);
        list[0] = Trees.standardLeaf(abi.encode(EARNER, a));
        list[1] = Trees.standardLeaf(abi.encode(OTHER, b));
    }

    function reported(uint64 e, uint256 a, uint256 b, uint256 total) internal {
        openEpoch(e);
        sealEpoch(e, 0, 0);
        drawEpoch(e);
        IEpochOracle.Report memory r = plainReport(e);
        r.rewardsRoot = Trees.sortedRoot(leaves(a, b));
        r.rewardsTotal = total;
        postReport(r);
    }

    function claim(address who, uint64 e, uint256 cumulative, uint256 a, uint256 b, bytes4 why) internal {
        bytes32[] memory proof = Trees.sortedProof(leaves(a, b), who == EARNER ? 0 : 1);
        vm.prank(who);
        if (why != 0) vm.expectPartialRevert(why);
        rewards.claim(e, cumulative, proof, address(0x5e1f));
    }

    function test_a_claim__waits_its_delay_and_pays_the_difference_once() public {
        reported(0, 1e18, 2e18, 3e18);
        claim(EARNER, 0, 1e18, 1e18, 2e18, IRewardsDistributor.RewardsDistributor_TooEarly.selector);
        vm.warp(block.timestamp + CLAIM_DELAY - 1);
        claim(EARNER, 0, 1e18, 1e18, 2e18, IRewardsDistributor.RewardsDistributor_TooEarly.selector);
        vm.warp(block.timestamp + 1);
        claim(EARNER, 0, 1e18, 1e18, 2e18, 0);
        eq(token.balanceOf(address(0x5e1f)), 1e18, "to the receiver");
        claim(EARNER, 0, 1e18, 1e18, 2e18, IRewardsDistributor.RewardsDistributor_NothingDue.selector);
        reported(1, 5e18, 2e18, 7e18);
        vm.warp(block.timestamp + CLAIM_DELAY);
        claim(EARNER, 1, 5e18, 5e18, 2e18, 0);
        claim(OTHER, 1, 2e18, 5e18, 2e18, 0);
        eq(token.balanceOf(address(0x5e1f)), 7e18, "cumulative less claimed");
        eq(rewards.totalClaimed(), 7e18, "total");
    }

    function test_somebody_elses_or_a_larger_share__cannot_be_claimed() public {
        reported(0, 1e18, 2e18, 3e18);
        vm.warp(block.timestamp + CLAIM_DELAY);
        claim(EARNER, 0, 2e18, 1e18, 2e18, IRewardsDistributor.RewardsDistributor_NotInReport.selector);
        bytes32[] memory proof = Trees.sortedProof(leaves(1e18, 2e18), 1);
        vm.prank(EARNER);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_NotInReport.selector);
        rewards.claim(0, 2e18, proof, EARNER);
        vm.prank(EARNER);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_ZeroReceiver.selector);
        rewards.claim(0, 1e18, proof, address(0));
        vm.prank(EARNER);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_NoReport.selector);
        rewards.claim(7, 1e18, proof, EARNER);
    }

    function test_a_vetoed_root__pays_nobody_and_the_next_one_does() public {
        reported(0, 1e18, 2e18, 3e18);
        vm.expectRevert();
        rewards.veto(0);
        vm.startPrank(GUARDIAN);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_NoReport.selector);
        rewards.veto(1);
        vm.warp(block.timestamp + CLAIM_DELAY - 1);
        rewards.veto(0);
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        claim(EARNER, 0, 1e18, 1e18, 2e18, IRewardsDistributor.RewardsDistributor_Vetoed.selector);
        reported(1, 1e18, 2e18, 3e18);
        vm.warp(block.timestamp + CLAIM_DELAY);
        vm.prank(GUARDIAN);
        vm.expectPartialRevert(IRewardsDistributor.RewardsDistributor_VetoTooLate.selector);
        rewards.veto(1);
        claim(EARNER, 1, 1e18, 1e18, 2e18, 0);
    }

    /// @dev A quorum that lies about who earned what still mints no more than the schedule.
    function test_a_lying_quorum__mints_no_more_than_the_schedule() public {
        uint256 limit = rewards.scheduleLimit(0);
        reported(0, limit + 1, limit, 0);
        vm.warp(block.timestamp + CLAIM_DELAY);
        claim(EARNER, 0, limit + 1, limit + 1, limit, IRewardsDistributor.RewardsDistributor_BeyondSchedule.selector);
        claim(OTHER, 0, limit, limit + 1, limit, 0);
        claim(EARNER, 0, limit + 1, limit + 1, limit, IRewardsDistributor.RewardsDistributor_BeyondSchedule.selector);
        eq(token.minted(), GENESIS_MINT + limit, "minted");
    }

    function test_the_schedule__halves_by_era_and_never_passes_its_sum(uint64 epoch) public view {
        epoch = uint64(within(epoch, 0, 70_000));
        (uint256 providers, uint256 validators, uint256 perCredit) = rewards.emission(epoch);
        uint256 expected = epoch / 1_000 >= 64 ? 0 : uint256(FIRST_EMISSION) >> (epoch / 1_000);
        eq(providers + validators, expected, "halved");
        eq(providers, expected * 8_000 / 10_000, "the providers' share");
        eq(perCredit, 5e18, "cap per credit");
        uint256 before = epoch == 0 ? 0 : rewards.scheduleLimit(epoch - 1);
        eq(rewards.scheduleLimit(epoch), before + expected, "the limit is the sum");
    }
}
