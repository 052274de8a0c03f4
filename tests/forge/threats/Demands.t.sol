// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IDeviceRegistry} from "contracts/interfaces/IDeviceRegistry.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title Threats on stake: demands for openings, answered, withheld, and as harassment
contract DemandThreats is Accused {
    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal work;
    address internal constant ANSWERER = address(0xa25e4);

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        work = workOf(deviceIds[0]);
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], keccak256("second")));
        settle(commitments);
        token.transfer(ACCUSER, 10 * DEMAND_BOND);
        vm.prank(ACCUSER);
        token.approve(address(fraud), type(uint256).max);
    }

    function ask(bool isRow, uint32 index) internal returns (uint256 id) {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        vm.prank(ACCUSER);
        return fraud.demand(0, s, isRow, index);
    }

    function refusedDemand(IFraudProofs.Sealed memory s, bool isRow, uint32 index, bytes4 why) internal {
        vm.prank(ACCUSER);
        vm.expectPartialRevert(why);
        fraud.demand(0, s, isRow, index);
    }

    function test_demands_as_harassment__pay_whoever_answers() public {
        uint256 id = ask(false, 2);
        eq(stake.account(provider).openDemands, 1, "open");
        IFraudProofs.Round memory r = Prover.round(work, 2);
        vm.prank(ANSWERER);
        fraud.answerRound(id, r);
        eq(fraud.bondOf(ANSWERER), DEMAND_BOND, "the answerer's");
        eq(fraud.bondOf(ACCUSER), 0, "not the asker's");
        eq(stake.account(provider).openDemands, 0, "closed");
        eq(stake.account(provider).active, 2 * DEVICE_STAKE, "nothing lost");
        vm.prank(ANSWERER);
        eq(fraud.collectBonds(address(0xb04d)), DEMAND_BOND, "collected");
        eq(token.balanceOf(address(0xb04d)), DEMAND_BOND, "paid");
        vm.prank(ANSWERER);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NothingToCollect.selector);
        fraud.collectBonds(ANSWERER);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_ZeroReceiver.selector);
        fraud.collectBonds(address(0));
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NoDemand.selector);
        fraud.answerRound(id, r);
        vm.warp(block.timestamp + ANSWER_WINDOW + 1);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NoDemand.selector);
        fraud.expireDemand(id);
    }

    function test_demands_as_harassment__are_one_at_a_time_and_two_an_epoch() public {
        uint256 id = ask(false, 0);
        refusedDemand(sealedAt(commitments, 0), false, 1, IFraudProofs.FraudProofs_DemandOpen.selector);
        fraud.answerRound(id, Prover.round(work, 0));
        id = ask(false, 1);
        fraud.answerRound(id, Prover.round(work, 1));
        refusedDemand(sealedAt(commitments, 0), false, 2, IFraudProofs.FraudProofs_TooManyDemands.selector);
    }

    function test_a_sampled_row__is_answered_by_its_bytes_and_path(uint32 q) public {
        q = q % 4;
        uint256 id = ask(true, q);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], q);
        eq(fraud.demandOf(id).t, t, "t");
        eq(fraud.demandOf(id).i, i, "i");
        (bytes memory row, bytes32[] memory path) = (work.rows[2 * t + i], Prover.rowPath(work, t, i));
        (bytes memory other, bytes32[] memory otherPath) =
            (work.rows[2 * t + (i ^ 1)], Prover.rowPath(work, t, i ^ 1));
        IFraudProofs.Round memory r = Prover.round(work, t);
        IFraudProofs.Round memory wrong = Prover.round(work, (t + 1) % 3);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_WrongAnswer.selector);
        fraud.answerRound(id, r);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_OutOfRange.selector);
        fraud.answerRow(id, wrong, row, path);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_BadPath.selector);
        fraud.answerRow(id, r, other, otherPath);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_ChunkLength.selector);
        fraud.answerRow(id, r, bytes.concat(row, hex"00"), path);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_PathLength.selector);
        fraud.answerRow(id, r, row, new bytes32[](0));
        vm.warp(fraud.demandOf(id).deadline);
        fraud.answerRow(id, r, row, path);
        eq(fraud.bondOf(address(this)), DEMAND_BOND, "answered in the last second");
    }

    function test_a_withheld_opening__is_slashed_once_its_time_is_over() public {
        uint256 id = ask(true, 0);
        uint40 deadline = fraud.demandOf(id).deadline;
        eq(deadline, block.timestamp + ANSWER_WINDOW, "window");
        vm.warp(deadline);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NotExpired.selector);
        fraud.expireDemand(id);
        vm.warp(deadline + 1);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 0);
        (bytes memory row, bytes32[] memory path) = (work.rows[2 * t + i], Prover.rowPath(work, t, i));
        IFraudProofs.Round memory r = Prover.round(work, t);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_AnswerTooLate.selector);
        fraud.answerRow(id, r, row, path);
        fraud.expireDemand(id);
        eq(stake.account(provider).active, DEVICE_STAKE, "slashed");
        eq(stake.bountyOf(ACCUSER), DEVICE_STAKE / 10, "the asker's, whoever calls");
        eq(fraud.bondOf(ACCUSER), DEMAND_BOND, "and the bond back");
        eq(uint256(registry.device(deviceIds[0]).status), uint256(IDeviceRegistry.Status.Slashed), "off the market");
        eq(stake.account(provider).openDemands, 0, "closed");
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NoDemand.selector);
        fraud.expireDemand(id);
    }

    function test_leaving_while_a_demand_is_open__is_not_possible() public {
        stakeFor(provider, 5e18);
        vm.prank(provider);
        stake.requestWithdrawal(5e18);
        vm.warp(startOf(1) + PROOF_WINDOW - 1);
        uint256 id = ask(false, 0);
        vm.warp(block.timestamp + ANSWER_WINDOW);
        vm.prank(provider);
        vm.expectRevert();
        stake.withdraw(provider);
        fraud.answerRound(id, Prover.round(work, 0));
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(provider);
        stake.withdraw(provider);
    }

    function test_a_demand_for_what_is_not_sealed_sampled_or_signed__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        refusedDemand(s, true, 4, IFraudProofs.FraudProofs_OutOfRange.selector);
        refusedDemand(s, false, 3, IFraudProofs.FraudProofs_OutOfRange.selector);
        s.resultRoot = keccak256("other");
        refusedDemand(s, false, 0, IFraudProofs.FraudProofs_BadPath.selector);
        s = sealedAt(commitments, 0);
        s.jobHash = keccak256("other job");
        refusedDemand(s, false, 0, IFraudProofs.FraudProofs_JobMismatch.selector);
        s = sealedAt(commitments, 0);
        s.deviceId = keccak256("nobody");
        refusedDemand(s, false, 0, IFraudProofs.FraudProofs_UnknownDevice.selector);
        vm.warp(startOf(1) + PROOF_WINDOW + 1);
        refusedDemand(sealedAt(commitments, 0), false, 0, IFraudProofs.FraudProofs_NotProvable.selector);
    }

    function test_a_leaf_that_the_device_did_not_sign__is_nothing_it_must_answer_for() public {
        openEpoch(1);
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], keccak256("forged"));
        c.epoch = 1;
        c.jobHash = jobHash(oracle.epochSeed(1));
        (c.r, c.vs) = (keccak256("r"), keccak256("vs") >> 1);
        commitments.push(c);
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        list[0] = c;
        sealEpoch(1, Trees.root(sealLeaves(list)), 1);
        IFraudProofs.Sealed memory s = sealedAt(list, 0);
        vm.prank(ACCUSER);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_BadSignature.selector);
        fraud.demand(1, s, false, 0);
    }

    function test_a_row_before_the_draw__cannot_be_demanded() public {
        openEpoch(1);
        Prover.Work memory w = Prover.prove(oracle.epochSeed(1), firstSeed(oracle.epochSeed(1), deviceIds[0]));
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        IFraudProofs.Commitment memory c = commitmentOf(deviceIds[0], w.resultRoot);
        c.epoch = 1;
        c.jobHash = jobHash(oracle.epochSeed(1));
        sign(c);
        list[0] = c;
        sealEpoch(1, Trees.root(sealLeaves(list)), 1);
        IFraudProofs.Sealed memory s = sealedAt(list, 0);
        vm.startPrank(ACCUSER);
        vm.expectPartialRevert(IFraudProofs.FraudProofs_NotDrawn.selector);
        fraud.demand(1, s, true, 0);
        eq(fraud.demand(1, s, false, 0), 1, "a round may be");
        vm.stopPrank();
    }
}
