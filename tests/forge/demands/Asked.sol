// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";

import {Accused} from "../base/Accused.sol";
import {Prover} from "../base/Prover.sol";

/// @title Two devices sealed and drawn in epoch 0, and somebody with money who asks the first for openings
abstract contract Asked is Accused {
    address internal constant ANSWERER = address(0xa25e4);
    uint128 internal constant ANY_BOND = type(uint128).max;
    // A row of profile 1 has 64 entries, an eighth of what else an answer costs.
    uint128 internal constant ROW_REWARD = UNIT_BOND * 9 / 8;

    IFraudProofs.Commitment[] internal commitments;
    Prover.Work internal work;

    function deployAsked() internal {
        deployNetwork();
        joinSeats(4);
        deviceIds.push(enrol(0, 1));
        deviceIds.push(enrol(1, 1));
        openEpoch(0);
        work = workOf(deviceIds[0]);
        commitments.push(commitmentOf(deviceIds[0], work.resultRoot));
        commitments.push(commitmentOf(deviceIds[1], keccak256("second")));
        settle(commitments);
        allow(ACCUSER);
    }

    function allow(address asker) internal {
        token.transfer(asker, 1e24);
        vm.prank(asker);
        token.approve(address(demands), type(uint256).max);
    }

    function ask(bool isRow, uint32 index) internal returns (bytes32) {
        return ask(ACCUSER, 0, isRow, index);
    }

    function ask(address asker, uint256 device, bool isRow, uint32 index) internal returns (bytes32) {
        IFraudProofs.Sealed memory s = sealedAt(commitments, device);
        vm.prank(asker);
        return demands.demand(0, s, isRow, index, ANY_BOND);
    }

    function answerRound(bytes32 id, uint32 t) internal {
        IFraudProofs.Round memory r = Prover.round(work, t);
        vm.prank(ANSWERER);
        demands.answerRound(id, r);
    }

    function answerRow(bytes32 id, uint32 q) internal {
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], q);
        IFraudProofs.Round memory r = Prover.round(work, t);
        bytes memory row = work.rows[2 * t + i];
        bytes32[] memory path = Prover.rowPath(work, t, i);
        vm.prank(ANSWERER);
        demands.answerRow(id, r, row, path);
    }

    function statusOf(bytes32 id) internal view returns (uint256) {
        return uint256(demands.demandOf(id).status);
    }

    function notOpen(bytes32 id, IOpeningDemands.DemandStatus status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IOpeningDemands.OpeningDemands_NotOpen.selector, id, status);
    }

    /// @dev Convicts device 0 of something else.
    function slashDevice() internal {
        (bool ok,) = accuse(twoCommitments(commitments[0], commitmentOf(deviceIds[0], keccak256("second")), SALT));
        isTrue(ok, "slashed");
    }
}
