// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";

import {Steps} from "./Steps.sol";

contract VoidEpochTest is Steps {
    /// @dev Not before `deadline` is over, and then for good; what was reached stays provable.
    function voids(uint64 epoch, uint256 deadline, IEpochOracle.Phase reached) internal {
        vm.warp(startOf(epoch) + deadline);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NotDue.selector, epoch));
        oracle.voidEpoch(epoch);
        vm.warp(startOf(epoch) + deadline + 1);
        bytes32 seed = oracle.epochSeed(epoch);
        vm.expectEmit();
        emit IEpochOracle.EpochVoided(epoch, reached);
        oracle.voidEpoch(epoch);
        eq(uint256(oracle.epochState(epoch).phase), uint256(IEpochOracle.Phase.Void), "void");
        isTrue(oracle.provable(epoch), "provable");
        eq(oracle.epochSeed(epoch), seed, "seed");
        (bytes32 root,,,) = oracle.rewardsOf(epoch);
        eq(root, bytes32(0), "pays nobody");
        vm.expectRevert(wrongPhase(epoch, IEpochOracle.Phase.Void));
        oracle.voidEpoch(epoch);
    }

    function test_void_epoch__never_sealed__void_after_the_seals_deadline() public {
        openEpoch(0);
        voids(0, SEAL_BY, IEpochOracle.Phase.Open);
        sealFails(0, sealQuorum(0), wrongPhase(0, IEpochOracle.Phase.Void));
    }

    function test_void_epoch__never_drawn__void_after_the_draws_deadline() public {
        reachSealed(0);
        voids(0, DRAW_BY, IEpochOracle.Phase.Sealed);
        vm.roll(block.number + 9);
        vm.expectRevert(wrongPhase(0, IEpochOracle.Phase.Void));
        oracle.draw(0);
    }

    function test_void_epoch__never_reported__void_after_the_reports_deadline() public {
        reachDrawn(0);
        voids(0, REPORT_BY, IEpochOracle.Phase.Drawn);
        reportFails(plainReport(0), wrongPhase(0, IEpochOracle.Phase.Void));
    }

    function test_void_epoch__never_opened_or_reported__wrong_phase() public {
        vm.warp(startOf(3));
        vm.expectRevert(wrongPhase(0, IEpochOracle.Phase.None));
        oracle.voidEpoch(0);
        reachDrawn(3);
        postReport(plainReport(3));
        vm.warp(startOf(5));
        vm.expectRevert(wrongPhase(3, IEpochOracle.Phase.Reported));
        oracle.voidEpoch(3);
    }

    function test_void_epoch__the_next__goes_on() public {
        openEpoch(0);
        voids(0, SEAL_BY, IEpochOracle.Phase.Open);
        reachDrawn(1);
        postReport(plainReport(1));
        eq(uint256(oracle.epochState(1).phase), uint256(IEpochOracle.Phase.Reported), "reported");
    }
}
