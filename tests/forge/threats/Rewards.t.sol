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
        drawn(e);
        post(e, a, b, total);
    }

    /// @dev An epoch as far as its draw, at once after its seal: the report of the one before can still follow.
    function drawn(uint64 e) internal {
        openEpoch(e);
        sealEpoch(e, 0, 0);
        vm.roll(block.number + DRAW_DELAY + 1);
        oracle.draw(e);
    }

    function post(uint64 e, uint256 a, uint256 b, uint256 total) internal {
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

    /// @dev What a vetoed report added is not owed any more: later totals go on from the last report that counts.
    function test_a_vetoed_total__is_no_floor_for_later_reports() public {
        reported(0, 1e18, 2e18, 3e18);
        drawn(1);
        drawn(2);
        post(1, 9e18, 2e18, 11e18);
        post(2, 9e18, 3e18, 12e18);
        eq(countedTotal(), 12e18, "the last report's");
        vm.startPrank(GUARDIAN);
        rewards.veto(1);
        eq(countedTotal(), 12e18, "the last report still counts");
        isTrue(rewards.vetoed(1) && !rewards.vetoed(0) && !rewards.vetoed(2), "one");
        rewards.veto(2);
        vm.stopPrank();
        eq(countedTotal(), 3e18, "the last that counts");
        (, uint64 last,) = oracle.lastReport();
        eq(last, 2, "epochs do not go back");
        drawn(3);
        IEpochOracle.Report memory r = plainReport(3);
        r.rewardsRoot = Trees.sortedRoot(leaves(1e18, 2e18));
        r.rewardsTotal = 3e18 - 1;
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 3);
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_RewardsShrank.selector, uint256(3e18 - 1), uint256(3e18))
        );
        oracle.report(r, q);
        r.rewardsTotal = 3e18;
        postReport(r);
        eq(countedTotal(), 3e18, "goes on");
    }

    function test_every_report_vetoed__leaves_no_floor() public {
        reported(0, 1e18, 2e18, 3e18);
        vm.prank(GUARDIAN);
        rewards.veto(0);
        eq(countedTotal(), 0, "none");
    }

    function test_only_the_distributor__vetoes_and_only_the_set_announces_changes() public {
        reported(0, 1e18, 2e18, 3e18);
        vm.startPrank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NotSchedule.selector, GUARDIAN));
        oracle.markVetoed(0);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NotValidatorSet.selector, GUARDIAN));
        oracle.noteSetChange();
        vm.stopPrank();
        vm.prank(address(rewards));
        vm.expectPartialRevert(IEpochOracle.EpochOracle_WrongPhase.selector);
        oracle.markVetoed(1);
    }

    function countedTotal() internal view returns (uint256 rewardsTotal) {
        (rewardsTotal,,) = oracle.lastReport();
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
