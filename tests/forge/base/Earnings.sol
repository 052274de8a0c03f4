// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IRewardsDistributor} from "contracts/interfaces/IRewardsDistributor.sol";

import {Epochs} from "./Epochs.sol";
import {Trees} from "./Trees.sol";

/// @title Two accounts that earn, and reports that say what
abstract contract Earnings is Epochs {
    address internal constant EARNER = address(0xea);
    address internal constant OTHER = address(0xeb);
    address internal constant RECEIVER = address(0x5e1f);

    function setUp() public virtual {
        deployNetwork();
        joinSeats(4);
    }

    function leaves(uint256 a, uint256 b) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](2);
        list[0] = Trees.standardLeaf(abi.encode(EARNER, a));
        list[1] = Trees.standardLeaf(abi.encode(OTHER, b));
    }

    /// @dev An epoch as far as its draw, at once after its seal: the report of the one before can still follow.
    function drawn(uint64 e) internal {
        openEpoch(e);
        sealEpoch(e, 0, 0);
        vm.roll(block.number + DRAW_DELAY + 1);
        oracle.draw(e);
    }

    function reportOf(uint64 e, uint256 a, uint256 b, uint256 total)
        internal
        view
        returns (IEpochOracle.Report memory r)
    {
        r = plainReport(e);
        r.rewardsRoot = Trees.sortedRoot(leaves(a, b));
        r.rewardsTotal = total;
    }

    function post(uint64 e, uint256 a, uint256 b, uint256 total) internal {
        postReport(reportOf(e, a, b, total));
    }

    function postFails(IEpochOracle.Report memory r, bytes memory why) internal {
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), quorumOf(oracle.epochState(r.epoch).seats));
        vm.expectRevert(why);
        oracle.report(r, q);
    }

    /// @dev A whole epoch whose report says that EARNER has earned `a` and OTHER `b`.
    function reported(uint64 e, uint256 a, uint256 b) internal {
        drawn(e);
        post(e, a, b, a + b);
    }

    /// @dev As `reported`, in the last second, so that the next can follow within the claim delay.
    function reportedLate(uint64 e, uint256 a, uint256 b) internal {
        drawn(e);
        vm.warp(startOf(e) + REPORT_BY);
        post(e, a, b, a + b);
    }

    function reportedAt(uint64 e) internal view returns (uint256 at) {
        (,, at,) = oracle.rewardsOf(e);
    }

    function beyondEmission(uint256 total, uint256 limit) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEpochOracle.EpochOracle_RewardsBeyondEmission.selector, total, limit);
    }

    /// @dev EARNER or OTHER claims against the report of `e`, whose leaves say `a` and `b`.
    function claim(address who, uint64 e, uint256 a, uint256 b) internal returns (uint256) {
        bytes32[] memory proof = Trees.sortedProof(leaves(a, b), who == EARNER ? 0 : 1);
        vm.prank(who);
        return rewards.claim(e, who == EARNER ? a : b, proof, RECEIVER);
    }

    function claimFails(address who, uint64 e, uint256 a, uint256 b, bytes memory why) internal {
        bytes32[] memory proof = Trees.sortedProof(leaves(a, b), who == EARNER ? 0 : 1);
        vm.prank(who);
        vm.expectRevert(why);
        rewards.claim(e, who == EARNER ? a : b, proof, RECEIVER);
    }

    function tooEarly(uint64 e, uint256 claimableAt) internal view returns (bytes memory) {
        return abi.encodeWithSelector(
            IRewardsDistributor.RewardsDistributor_TooEarly.selector, e, claimableAt, block.timestamp
        );
    }

    function veto(uint64 e) internal {
        vm.prank(GUARDIAN);
        rewards.veto(e);
    }

    function vetoFails(uint64 e, bytes memory why) internal {
        vm.prank(GUARDIAN);
        vm.expectRevert(why);
        rewards.veto(e);
    }

    function countedTotal() internal view returns (uint256 rewardsTotal) {
        (rewardsTotal,,) = oracle.lastReport();
    }
}
