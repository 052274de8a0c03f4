// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";

import {Prover} from "../base/Prover.sol";
import {Asked} from "./Asked.sol";

/// @title OpeningDemands.answerRound, answerRow and collectBonds
contract Answers is Asked {
    function setUp() public {
        deployAsked();
    }

    function test_an_answer__pays_the_answerer_burns_a_tenth_and_gives_the_asker_the_rest() public {
        bytes32 id = ask(true, 1);
        (uint128 bond, uint128 reward, uint128 burned) = demands.bondOfDemand(id);
        uint256 supply = token.totalSupply();
        vm.expectEmit();
        emit IOpeningDemands.DemandAnswered(id, ANSWERER, reward, burned);
        answerRow(id, 1);
        eq(demands.bondOf(ANSWERER), reward, "the answerer's");
        eq(demands.bondOf(ACCUSER), bond - reward - burned, "the asker's");
        eq(supply - token.totalSupply(), burned, "burned");
        eq(token.balanceOf(address(demands)), bond - burned, "held for both");
        eq(statusOf(id), uint256(IOpeningDemands.DemandStatus.Answered), "status");
        eq(demands.openDemandsOf(deviceIds[0]), 0, "closed");
        eq(demands.openDemands(), 0, "closed");
        eq(demands.demandCount(), 1, "but made");
        eq(stake.heldSlashCount(), 0, "nobody slashed");
    }

    function test_a_sampled_row__is_answered_by_its_bytes_and_path(uint32 q) public {
        q = q % 4;
        answerRow(ask(true, q), q);
        eq(demands.bondOf(ANSWERER), ROW_REWARD, "answered");
    }

    function test_a_round__is_answered_by_its_leaf_and_path(uint32 t) public {
        t = t % 3;
        answerRound(ask(false, t), t);
        eq(demands.bondOf(ANSWERER), UNIT_BOND, "answered");
    }

    function test_an_answer_of_another_row__reverts() public {
        bytes32 id = ask(true, 0);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 0);
        IFraudProofs.Round memory r = Prover.round(work, t);
        (bytes memory row, bytes32[] memory path) = (work.rows[2 * t + (i ^ 1)], Prover.rowPath(work, t, i ^ 1));
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.answerRow(id, r, row, path);
        row = work.rows[2 * t + i];
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.answerRow(id, r, row, path);
    }

    function test_an_answer_of_a_row_too_long_too_short_or_without_its_path__reverts() public {
        bytes32 id = ask(true, 0);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 0);
        IFraudProofs.Round memory r = Prover.round(work, t);
        bytes memory row = work.rows[2 * t + i];
        bytes32[] memory path = Prover.rowPath(work, t, i);
        vm.expectRevert(abi.encodeWithSelector(IFraudErrors.FraudProofs_ChunkLength.selector, 257, 256));
        demands.answerRow(id, r, bytes.concat(row, hex"00"), path);
        vm.expectRevert(abi.encodeWithSelector(IFraudErrors.FraudProofs_ChunkLength.selector, 0, 256));
        demands.answerRow(id, r, "", path);
        vm.expectRevert(abi.encodeWithSelector(IFraudErrors.FraudProofs_PathLength.selector, 0, 1));
        demands.answerRow(id, r, row, new bytes32[](0));
    }

    function test_an_answer_of_another_round__reverts() public {
        bytes32 id = ask(false, 1);
        IFraudProofs.Round memory r = Prover.round(work, 2);
        vm.expectRevert(
            abi.encodeWithSelector(IOpeningDemands.OpeningDemands_WrongRound.selector, id, uint32(2), uint32(1))
        );
        demands.answerRound(id, r);
    }

    function test_an_answer__that_does_not_stand_under_the_demanded_result__reverts() public {
        bytes32 id = ask(false, 1);
        IFraudProofs.Round memory r = Prover.round(work, 1);
        r.root = keccak256("made up");
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.answerRound(id, r);
        r = Prover.round(work, 1);
        r.seed = keccak256("made up");
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.answerRound(id, r);
    }

    function test_a_round_for_a_row_or_a_row_for_a_round__reverts() public {
        bytes32 row = ask(true, 0);
        bytes32 round = ask(false, 0);
        IFraudProofs.Round memory r = Prover.round(work, 0);
        bytes4 wrong = IOpeningDemands.OpeningDemands_WrongAnswer.selector;
        vm.expectRevert(abi.encodeWithSelector(wrong, row, true));
        demands.answerRound(row, r);
        vm.expectRevert(abi.encodeWithSelector(wrong, round, false));
        demands.answerRow(round, r, "", new bytes32[](0));
    }

    function test_an_answer_of_nothing_asked_or_answered_before__reverts() public {
        bytes32 id = demands.demandIdOf(deviceIds[0], 0, false, 0);
        IFraudProofs.Round memory r = Prover.round(work, 0);
        vm.expectRevert(notOpen(id, IOpeningDemands.DemandStatus.None));
        demands.answerRound(id, r);
        ask(false, 0);
        demands.answerRound(id, r);
        vm.expectRevert(notOpen(id, IOpeningDemands.DemandStatus.Answered));
        demands.answerRound(id, r);
    }

    /// @dev Its stake is safe as long as nobody has expired the demand.
    function test_an_answer_past_the_deadline__is_taken_while_the_demand_is_open() public {
        bytes32 id = ask(true, 0);
        vm.warp(demands.demandOf(id).deadline + 3 days);
        answerRow(id, 0);
        eq(statusOf(id), uint256(IOpeningDemands.DemandStatus.Answered), "answered");
    }

    /// @dev Else a culprit that is convicted would still collect from those who asked it.
    function test_an_answer_for_a_slashed_device__reverts() public {
        bytes32 id = ask(false, 0);
        slashDevice();
        IFraudProofs.Round memory r = Prover.round(work, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IOpeningDemands.OpeningDemands_DeviceSlashed.selector, deviceIds[0])
        );
        demands.answerRound(id, r);
    }

    function test_collect_bonds__pays_the_receiver_once() public {
        answerRound(ask(false, 0), 0);
        answerRound(ask(false, 1), 1);
        vm.startPrank(ANSWERER);
        vm.expectEmit();
        emit IOpeningDemands.BondCollected(ANSWERER, renter, 2 * UNIT_BOND);
        eq(demands.collectBonds(renter), 2 * UNIT_BOND, "collected");
        eq(token.balanceOf(renter), 2 * UNIT_BOND, "paid");
        vm.expectRevert(
            abi.encodeWithSelector(IOpeningDemands.OpeningDemands_NothingToCollect.selector, ANSWERER)
        );
        demands.collectBonds(renter);
    }

    function test_collect_bonds__to_nobody__reverts() public {
        answerRound(ask(false, 0), 0);
        vm.prank(ANSWERER);
        vm.expectRevert(abi.encodeWithSelector(IOpeningDemands.OpeningDemands_ZeroReceiver.selector));
        demands.collectBonds(address(0));
    }
}
