// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IFraudErrors} from "contracts/interfaces/IFraudErrors.sol";
import {IFraudProofs} from "contracts/interfaces/IFraudProofs.sol";
import {IOpeningDemands} from "contracts/interfaces/IOpeningDemands.sol";

import {Asked} from "./Asked.sol";

/// @title What demands cost and whom: of oneself, as bait, in floods, and at high fees
contract DemandPrices is Asked {
    address internal constant CULPRIT = address(0xc41941);

    function setUp() public {
        deployAsked();
        allow(CULPRIT);
    }

    /// @dev What an account has, its bonds to collect in it.
    function wealth(address who) internal view returns (uint256) {
        return token.balanceOf(who) + demands.bondOf(who);
    }

    function test_asking_oneself__loses_a_fifth_of_the_reward_each_time() public {
        uint256 before = wealth(CULPRIT) + wealth(ANSWERER); // both are the culprit's
        for (uint32 t = 0; t < 3; ++t) answerRound(ask(CULPRIT, 0, false, t), t);
        eq(before - wealth(CULPRIT) - wealth(ANSWERER), 3 * UNIT_BOND / 5, "lost");
    }

    /// @dev Attack 4: the culprit's demands left no room for anybody else's, and cost nothing.
    function test_a_demand_by_the_culprit__takes_no_room_from_anybody_elses() public {
        for (uint32 t = 0; t < 3; ++t) ask(CULPRIT, 0, false, t);
        for (uint32 q = 0; q < 4; ++q) {
            bytes32 id = ask(true, q);
            eq(demands.demandOf(id).demander, ACCUSER, "the watcher's");
        }
        // It answers its own; the watcher's stay open, and convict it.
        for (uint32 t = 0; t < 3; ++t) answerRound(demands.demandIdOf(deviceIds[0], 0, false, t), t);
        bytes32 withheld = demands.demandIdOf(deviceIds[0], 0, true, 0);
        vm.warp(demands.demandOf(withheld).deadline);
        demands.expireDemand(withheld);
        held(provider, DEVICE_STAKE, ACCUSER);
    }

    /// @dev It can ask first what a watcher would have asked: then it has to answer it, or is slashed for it.
    function test_a_demand_by_the_culprit__for_what_a_watcher_asks__is_answered_or_convicts_it() public {
        bytes32 id = ask(CULPRIT, 0, true, 0);
        IFraudProofs.Sealed memory s = sealedAt(commitments, 0);
        vm.prank(ACCUSER);
        vm.expectPartialRevert(IOpeningDemands.OpeningDemands_AlreadyDemanded.selector);
        demands.demand(0, s, true, 0, ANY_BOND);
        vm.warp(demands.demandOf(id).deadline);
        demands.expireDemand(id);
        held(provider, DEVICE_STAKE, CULPRIT);
    }

    /// @dev Bait: withheld off-chain, shown here. The whole gain is what the reward leaves of the answer's gas, and the rest of
    /// the asker's bond is no part of it. That a reward is about twice an answer's gas is held by the benchmarks of gas.
    function test_bait__earns_the_reward_and_nothing_of_the_rest_of_the_bond() public {
        uint256 asker = wealth(ACCUSER);
        answerRow(ask(true, 0), 0);
        eq(wealth(ANSWERER), ROW_REWARD, "earned");
        eq(asker - wealth(ACCUSER), ROW_REWARD + ROW_REWARD / 5, "lost by the asker");
        // The asker's loss does not grow with what else is open but for the burned part, nor does what bait earns.
        ask(CULPRIT, 0, false, 0);
        uint256 earned = wealth(ANSWERER);
        asker = wealth(ACCUSER);
        answerRow(ask(true, 1), 1);
        eq(wealth(ANSWERER) - earned, ROW_REWARD, "the same");
        eq(asker - wealth(ACCUSER), ROW_REWARD + 2 * ROW_REWARD / 5, "twice as much burned");
    }

    /// @dev A flood: the n-th demand that is open against a device locks n times the first's bond, and burns as much more.
    function test_a_flood__locks_and_burns_with_its_square() public {
        uint256 locked;
        for (uint32 t = 0; t < 3; ++t) {
            (uint128 bond,, uint128 burned) = demands.bondOfDemand(ask(CULPRIT, 0, false, t));
            eq(bond, 2 * UNIT_BOND * (1 + t), "bond");
            eq(burned, bond / 10, "burned");
            locked += bond;
        }
        eq(locked, 12 * UNIT_BOND, "in all");
        (uint128 next,,) = demands.bondFor(deviceIds[0], false);
        eq(next, 8 * UNIT_BOND, "the next");
        (uint128 other,,) = demands.bondFor(deviceIds[1], false);
        eq(other, 2 * UNIT_BOND, "another device's is as cheap as ever");
        for (uint32 t = 0; t < 3; ++t) answerRound(demands.demandIdOf(deviceIds[0], 0, false, t), t);
        eq(demands.bondOf(ANSWERER), 3 * UNIT_BOND, "the flooded earn");
        (next,,) = demands.bondFor(deviceIds[0], false);
        eq(next, 2 * UNIT_BOND, "and it is over");
    }

    function test_bonds__follow_the_base_fee_above_the_reference(uint64 baseFee) public {
        baseFee = uint64(within(baseFee, 0, 10_000 gwei));
        vm.fee(baseFee);
        uint256 fee = baseFee < REFERENCE_BASE_FEE ? REFERENCE_BASE_FEE : baseFee;
        (uint128 bond, uint128 reward, uint128 burned) = demands.bondFor(deviceIds[0], true);
        eq(reward, uint256(UNIT_BOND) * 576 * fee / (512 * uint256(REFERENCE_BASE_FEE)), "reward");
        eq(bond, 2 * uint256(reward), "bond");
        eq(burned, bond / 10, "burned");
        (uint128 named,,) = demands.bondAt(deviceIds[0], true, baseFee);
        eq(named, bond, "as at a named fee");
        (uint128 taken, uint128 promised,) = demands.bondOfDemand(ask(true, 0));
        eq(taken, bond, "taken");
        eq(promised, reward, "promised");
        // What was agreed on stays, whatever fees do.
        vm.fee(1);
        answerRow(demands.demandIdOf(deviceIds[0], 0, true, 0), 0);
        eq(demands.bondOf(ANSWERER), reward, "paid");
    }

    /// @dev Nobody is owed more than was paid in, at any fee and any number of open demands.
    function test_a_bond__covers_reward_and_burned_part(uint64 baseFee, bool isRow) public view {
        (uint128 bond, uint128 reward, uint128 burned) = demands.bondAt(deviceIds[0], isRow, baseFee);
        atMost(uint256(reward) + burned, bond, "paid out");
    }

    function test_bonds__of_a_row_of_datacenters_width__are_nine_times_those_of_a_round() public {
        bytes32 wide = enrol(7, 3);
        (, uint128 round,) = demands.bondFor(wide, false);
        (, uint128 row,) = demands.bondFor(wide, true);
        eq(round, UNIT_BOND, "round");
        eq(row, 9 * UNIT_BOND, "row of 4,096 entries");
    }

    function test_bonds__of_no_device__revert() public {
        vm.expectRevert(
            abi.encodeWithSelector(IFraudErrors.FraudProofs_UnknownDevice.selector, keccak256("nobody"))
        );
        demands.bondFor(keccak256("nobody"), true);
    }
}
