// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";

/// @title What FraudProofs announces of a fault
contract FaultsAnnounced is Accused {
    IFraudProofs.Commitment[] internal commitments;

    function setUp() public {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        openEpoch(0);
    }

    function reveal(bytes memory proof) internal {
        vm.prank(ACCUSER);
        (bool ok,) = address(fraud).call(proof);
        isTrue(ok, "convicted");
    }

    function commit(bytes memory proof) internal {
        vm.prank(ACCUSER);
        fraud.commit(commitHash(ACCUSER, proof));
        vm.roll(block.number + 2);
    }

    function test_a_wrong_element__is_announced_with_what_it_must_be() public {
        Prover.Work memory w = workOf(deviceIds[0]);
        int256 correct = Prover.get(w.rows[3], 40);
        Prover.spoil(w, 1, 1, 40, 7);
        bytes memory proof = wrongElement(
            commitmentOf(deviceIds[0], w.resultRoot), Prover.round(w, 1), Prover.element(w, 1, 1, 40), SALT
        );
        commit(proof);
        vm.expectEmit();
        emit IFraudProofs.WrongElementShown(deviceIds[0], 0, 1, 1, 40, int32(correct + 7), int32(correct));
        vm.expectEmit();
        emit IFraudProofs.FaultProven(
            IFraudErrors.Kind.WrongElement, deviceIds[0], 0, provider, DEVICE_STAKE, 1, ACCUSER
        );
        reveal(proof);
    }

    function test_a_quorums_fault__is_announced_and_then_each_signers() public {
        commitments.push(commitmentOf(deviceIds[0], keccak256("x")));
        (commitments[0].r, commitments[0].vs) = (keccak256("r"), keccak256("vs") >> 1);
        sealEpoch(0, Trees.root(sealLeaves(commitments)), 1);
        bytes memory proof = badSeal(0, sealedAt(commitments, 0));
        commit(proof);
        vm.expectEmit();
        emit IFraudProofs.QuorumFaultRecorded(IFraudErrors.Kind.BadSeal, 0, oracle.epochState(0).setId, 7, ACCUSER);
        reveal(proof);
        vm.expectEmit();
        emit IFraudProofs.FaultProven(
            IFraudErrors.Kind.BadSeal,
            bytes32(uint256(uint160(seatAccount(2)))),
            0,
            seatAccount(2),
            SEAT_STAKE,
            1,
            ACCUSER
        );
        fraud.slashSigner(IFraudErrors.Kind.BadSeal, 0, 2);
    }
}
