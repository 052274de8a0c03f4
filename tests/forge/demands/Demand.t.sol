// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";

import {Prover} from "../base/Prover.sol";
import {Trees} from "../base/Trees.sol";
import {Asked} from "./Asked.sol";

/// @title OpeningDemands.demand, its refusals, and its terms
contract Demanding is Asked {
    function setUp() public {
        deployAsked();
    }

    function refused(IFraudProofs.Sealed memory s, bool isRow, uint32 index, bytes memory why) internal {
        refused(0, s, isRow, index, why);
    }

    function refused(uint64 epoch, IFraudProofs.Sealed memory s, bool isRow, uint32 index, bytes memory why) internal {
        vm.prank(ACCUSER);
        vm.expectRevert(why);
        demands.demand(epoch, s, isRow, index, ANY_BOND);
    }

    function outOfRange(string memory what, uint256 value, uint256 limit) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IFraudErrors.FraudProofs_OutOfRange.selector, what, value, limit);
    }

    function test_a_demand_for_a_row__says_all_of_itself() public {
        uint256 before = token.balanceOf(ACCUSER);
        bytes32 id = ask(true, 2);
        eq(id, keccak256(abi.encode(deviceIds[0], uint64(0), true, uint32(2))), "id");
        eq(id, demands.demandIdOf(deviceIds[0], 0, true, 2), "as the view says");
        IOpeningDemands.Demand memory d = demands.demandOf(id);
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 2);
        eq(d.demander, ACCUSER, "demander");
        eq(d.epoch, 0, "epoch");
        eq(uint256(d.status), uint256(IOpeningDemands.DemandStatus.Open), "status");
        isTrue(d.isRow, "a row");
        eq(d.deviceId, deviceIds[0], "device");
        eq(d.resultRoot, work.resultRoot, "result");
        eq(d.index, 2, "index");
        eq(d.t, t, "t");
        eq(d.i, i, "i");
        eq(d.baseFee, REFERENCE_BASE_FEE, "base fee");
        eq(d.ahead, 0, "ahead");
        eq(d.size, 512 + 64, "size");
        eq(d.deadline, block.timestamp + ANSWER_WINDOW, "deadline");
        (uint128 bond, uint128 reward, uint128 burned) = demands.bondOfDemand(id);
        eq(reward, ROW_REWARD, "reward");
        eq(bond, 2 * ROW_REWARD, "bond");
        eq(burned, bond / 10, "burned");
        eq(before - token.balanceOf(ACCUSER), bond, "paid");
        eq(token.balanceOf(address(demands)), bond, "held");
        eq(demands.openDemandsOf(deviceIds[0]), 1, "open against the device");
        eq(demands.openDemands(), 1, "open at all");
        eq(demands.demandCount(), 1, "ever made");
    }

    function test_a_demand_for_a_round__says_all_of_itself() public {
        bytes32 id = ask(false, 2);
        IOpeningDemands.Demand memory d = demands.demandOf(id);
        isTrue(!d.isRow, "a round");
        eq(d.index, 2, "index");
        eq(d.t, 2, "t");
        eq(d.i, 0, "i");
        eq(d.size, 512, "size");
        (uint128 bond, uint128 reward,) = demands.bondOfDemand(id);
        eq(reward, UNIT_BOND, "reward");
        eq(bond, 2 * UNIT_BOND, "bond");
    }

    function test_a_demand__is_announced() public {
        (uint256 t, uint256 i) = sampleOf(deviceIds[0], 1);
        vm.expectEmit();
        emit IOpeningDemands.DemandMade(
            demands.demandIdOf(deviceIds[0], 0, true, 1),
            deviceIds[0],
            0,
            true,
            1,
            uint32(t),
            uint32(i),
            uint40(block.timestamp) + ANSWER_WINDOW,
            ACCUSER,
            2 * ROW_REWARD,
            ROW_REWARD
        );
        ask(true, 1);
    }

    function test_a_demand__of_a_bond_above_what_the_asker_agreed_to__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        vm.startPrank(ACCUSER);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOpeningDemands.OpeningDemands_BondTooHigh.selector, 2 * UNIT_BOND, 2 * UNIT_BOND - 1
            )
        );
        demands.demand(0, s, false, 0, 2 * UNIT_BOND - 1);
        demands.demand(0, s, false, 0, 2 * UNIT_BOND);
    }

    function test_a_demand__made_before__reverts_whatever_became_of_it() public {
        bytes32 id = ask(false, 0);
        bytes4 already = IOpeningDemands.OpeningDemands_AlreadyDemanded.selector;
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        refused(s, false, 0, abi.encodeWithSelector(already, id, IOpeningDemands.DemandStatus.Open));
        answerRound(id, 0);
        refused(s, false, 0, abi.encodeWithSelector(already, id, IOpeningDemands.DemandStatus.Answered));
        // The row of the same index is something else.
        ask(true, 0);
    }

    function test_a_demand__beyond_the_samples_or_rounds__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        refused(s, true, 4, outOfRange("q", 4, 4));
        refused(s, false, 3, outOfRange("t", 3, 3));
        ask(true, 3);
        ask(false, 2);
    }

    function test_a_demand__of_what_is_not_sealed__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        s.index = 2;
        refused(s, false, 0, outOfRange("index", 2, 2));
        s = sealedAt(commitments, 0);
        s.resultRoot = keccak256("other");
        vm.prank(ACCUSER);
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadPath.selector);
        demands.demand(0, s, false, 0, ANY_BOND);
        s = sealedAt(commitments, 0);
        s.path = new bytes32[](2);
        refused(s, false, 0, abi.encodeWithSelector(IFraudErrors.FraudProofs_PathLength.selector, 2, 1));
    }

    function test_a_demand__of_another_job__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        s.jobHash = keccak256("other job");
        refused(
            s,
            false,
            0,
            abi.encodeWithSelector(
                IFraudErrors.FraudProofs_JobMismatch.selector, keccak256("other job"), jobHash(oracle.epochSeed(0))
            )
        );
    }

    function test_a_demand__of_no_device__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        s.deviceId = keccak256("nobody");
        refused(
            s, false, 0, abi.encodeWithSelector(IFraudErrors.FraudProofs_UnknownDevice.selector, keccak256("nobody"))
        );
    }

    function test_a_demand__after_the_proof_window__reverts() public {
        vm.warp(startOf(1) + PROOF_WINDOW);
        ask(false, 0);
        vm.warp(startOf(1) + PROOF_WINDOW + 1);
        refused(
            sealedAt(commitments, 0),
            false,
            1,
            abi.encodeWithSelector(IFraudErrors.FraudProofs_NotProvable.selector, uint64(0))
        );
    }

    function test_a_demand__in_an_epoch_never_opened__reverts() public {
        refused(
            5,
            sealedAt(commitments, 0),
            false,
            0,
            abi.encodeWithSelector(IFraudErrors.FraudProofs_NotProvable.selector, uint64(5))
        );
    }

    function test_a_demand__against_a_slashed_device__reverts() public {
        slashDevice();
        refused(
            sealedAt(commitments, 0),
            true,
            0,
            abi.encodeWithSelector(IOpeningDemands.OpeningDemands_DeviceSlashed.selector, deviceIds[0])
        );
        // And not against the provider's other one.
        ask(ACCUSER, 1, true, 0);
    }

    /// @dev Epoch 1, in which device 0 alone is sealed.
    function sealedInEpochOne(bytes32 resultRoot, bool forged) internal returns (IFraudProofs.Sealed memory) {
        openEpoch(1);
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        list[0] = commitmentIn(1, deviceIds[0], resultRoot);
        if (forged) (list[0].r, list[0].vs) = (keccak256("r"), keccak256("vs") >> 1);
        sealEpoch(1, Trees.root(sealLeaves(list)), 1);
        return sealedAt(list, 0);
    }

    function test_a_demand__outside_of_what_the_device_answers_for__reverts() public {
        vm.prank(provider);
        registry.retire(deviceIds[0]);
        IFraudProofs.Sealed memory s = sealedInEpochOne(work.resultRoot, false);
        refused(
            1,
            s,
            false,
            0,
            abi.encodeWithSelector(
                IOpeningDemands.OpeningDemands_NotLiable.selector, deviceIds[0], uint64(1), uint64(0), uint64(0)
            )
        );
        ask(false, 0);
    }

    function test_a_leaf_that_the_device_did_not_sign__is_nothing_it_must_answer_for() public {
        IFraudProofs.Sealed memory s = sealedInEpochOne(work.resultRoot, true);
        vm.prank(ACCUSER);
        vm.expectPartialRevert(IFraudErrors.FraudProofs_BadSignature.selector);
        demands.demand(1, s, false, 0, ANY_BOND);
    }

    function test_a_row_before_the_draw__cannot_be_demanded() public {
        bytes32 seed = keccak256("seed");
        IFraudProofs.Sealed memory s = sealedInEpochOne(Prover.prove(seed, seed).resultRoot, false);
        refused(1, s, true, 0, abi.encodeWithSelector(IFraudErrors.FraudProofs_NotDrawn.selector, uint64(1)));
        vm.prank(ACCUSER);
        demands.demand(1, s, false, 0, ANY_BOND);
    }

    function test_a_demand__before_anything_is_sealed__reverts() public {
        openEpoch(1);
        IFraudProofs.Commitment[] memory list = new IFraudProofs.Commitment[](1);
        list[0] = commitmentIn(1, deviceIds[0], work.resultRoot);
        refused(
            1,
            sealedAt(list, 0),
            false,
            0,
            abi.encodeWithSelector(IFraudErrors.FraudProofs_NotSealed.selector, uint64(1))
        );
    }

    function test_a_demand__without_money__reverts() public {
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        vm.prank(ANSWERER);
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        demands.demand(0, s, false, 0, ANY_BOND);
    }

    function deploy(IOpeningDemands.Terms memory terms) internal returns (IOpeningDemands) {
        return IOpeningDemands(this.deployed("OpeningDemands", abi.encode(oracle, registry, fraud, token, terms)));
    }

    function refusedTerms(IOpeningDemands.Terms memory terms, string memory what, uint256 value, uint256 bound)
        internal
    {
        vm.expectRevert(
            abi.encodeWithSelector(IOpeningDemands.OpeningDemands_BadBound.selector, what, value, bound)
        );
        deploy(terms);
    }

    function test_terms_without_bond_fee_or_time__cannot_be_deployed() public {
        refusedTerms(IOpeningDemands.Terms(0, 1, 1 days), "unitBond", 0, 1);
        refusedTerms(IOpeningDemands.Terms(1, 0, 1 days), "referenceBaseFee", 0, 1);
        refusedTerms(IOpeningDemands.Terms(1, 1, 1 days - 1), "answerWindow", 1 days - 1, 1 days);
        IOpeningDemands.Terms memory least = IOpeningDemands.Terms(1, 1, 1 days);
        eq(keccak256(abi.encode(deploy(least).terms())), keccak256(abi.encode(least)), "the least, as given");
    }
}
