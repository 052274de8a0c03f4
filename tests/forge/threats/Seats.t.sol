// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Epochs} from "../base/Epochs.sol";

/// @title Threats on the quorum: who sits on it
contract SeatThreats is Epochs {
    uint64 internal next;

    function setUp() public {
        deployNetwork();
    }

    /// @dev Opens the epochs up to `epoch` one by one.
    function reach(uint64 epoch) internal {
        for (; next <= epoch; ++next) openEpoch(next);
    }

    function seatsAt(uint64 epoch) internal view returns (uint256) {
        return oracle.epochState(epoch).seats;
    }

    function leave(uint256 i) internal {
        vm.prank(seatAccount(i));
        seats.leave();
    }

    function joinFails(uint256 i, bytes4 why) internal {
        stakeFor(seatAccount(i), SEAT_STAKE);
        bytes memory signature = seatSignature(i, seatAccount(i));
        vm.prank(seatAccount(i));
        vm.expectPartialRevert(why);
        seats.join(seatSigner(i), "", 0, signature);
    }

    function test_a_seat_removed__is_counted_no_more() public {
        joinSeats(4);
        reach(0);
        leave(3);
        reach(2);
        eq(seatsAt(0), 4, "before");
        eq(seatsAt(1), 4, "notice");
        eq(seatsAt(2), 3, "gone at e + 2");
        IEpochOracle.Quorum memory q = quorumOf(sealDigest(2, 0, keccak256("s"), 1), 0xb);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_SignersOutOfSet.selector);
        oracle.seal(2, 0, keccak256("s"), 1, q);
    }

    function test_a_set_changed_in_mid_epoch__leaves_the_epochs_own_set_alone() public {
        joinSeats(4);
        reach(0);
        uint32 setId = oracle.epochState(0).setId;
        leave(0);
        join(5, SEAT_STAKE);
        eq(oracle.epochState(0).setId, setId, "set");
        sealEpoch(0, keccak256("s"), 1);
        eq(seats.seatsOf(setId).length, 4, "still four");
        reach(4);
        eq(seats.seatsOf(setId)[0].account, seatAccount(0), "kept as it was");
        (address account, address signer) = seats.seatAt(setId, 3);
        eq(account, seatAccount(3), "account");
        eq(signer, seatSigner(3), "signer");
        (account,) = seats.seatAt(setId, 4);
        eq(account, address(0), "nobody");
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_UnknownSet.selector);
        seats.seatsOf(0);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_UnknownSet.selector);
        seats.seatsOf(99);
    }

    function test_seats_all_taken_by_one__take_many_epochs() public {
        joinSeats(7);
        reach(0);
        for (uint256 i = 10; i < 14; ++i) join(i, SEAT_STAKE);
        reach(2);
        eq(seatsAt(2), 8, "one change an epoch below 13 seats");
        reach(3);
        eq(seatsAt(3), 9, "then the next");
        reach(5);
        eq(seatsAt(5), 11, "and so on");
    }

    function test_a_full_set__yields_its_lowest_seat_to_110_percent() public {
        joinSeats(31);
        reach(0);
        eq(seatsAt(0), 31, "full");
        vm.prank(seatAccount(4));
        vm.expectRevert();
        seats.raiseStake(1);
        for (uint256 i = 0; i < 31; ++i) {
            if (i == 17) continue;
            stakeFor(seatAccount(i), 1);
            vm.prank(seatAccount(i));
            seats.raiseStake(1);
        }
        joinFails(40, IValidatorSet.ValidatorSet_Full.selector);
        uint128 needed = SEAT_STAKE * 11 / 10;
        stakeFor(seatAccount(40), needed - SEAT_STAKE - 1);
        bytes memory signature = seatSignature(40, seatAccount(40));
        vm.prank(seatAccount(40));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_Full.selector);
        seats.join(seatSigner(40), "", 0, signature);
        stakeFor(seatAccount(40), 1);
        vm.prank(seatAccount(40));
        seats.join(seatSigner(40), "", 0, signature);
        eq(seats.member(seatAccount(40)).stake, needed, "110 %");
        reach(2);
        eq(seatsAt(2), 31, "still full");
        uint32 setId = oracle.epochState(2).setId;
        (address account,) = seats.seatAt(setId, 17);
        eq(account, seatAccount(40), "in the place of the lowest");
        eq(uint256(seats.member(seatAccount(17)).status), uint256(IValidatorSet.Status.Left), "outbid");
    }

    function test_seats_left_idle__are_evicted_unslashed_by_anyone() public {
        joinSeats(4);
        for (uint64 e = 0; e <= IDLE_EPOCHS + 4; ++e) {
            reach(e);
            sealEpoch(e, keccak256("s"), 1);
        }
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
        seats.evict(seatAccount(0));
        seats.evict(seatAccount(3));
        eq(stake.account(seatAccount(3)).active, SEAT_STAKE, "unslashed");
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.evict(seatAccount(3));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.evict(address(this));
    }

    function test_a_seat_that_checks_in__is_not_evicted() public {
        joinSeats(4);
        for (uint64 e = 0; e <= IDLE_EPOCHS + 4; ++e) {
            reach(e);
            sealEpoch(e, keccak256("s"), 1);
        }
        vm.prank(seatAccount(3));
        seats.checkIn();
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
        seats.evict(seatAccount(3));
    }

    function test_epochs_nobody_opened_or_sealed__are_not_a_seats_idleness() public {
        joinSeats(4);
        reach(0);
        vm.warp(startOf(IDLE_EPOCHS + 6));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
        seats.evict(seatAccount(3));
    }

    function test_a_signer__serves_one_seat_for_ever() public {
        joinSeats(4);
        reach(0);
        leave(1);
        reach(3);
        vm.warp(block.timestamp + 10 * EPOCH + PROOF_WINDOW);
        seats.releaseStake(seatAccount(1));
        bytes memory signature = seatSignature(1, seatAccount(1));
        vm.prank(seatAccount(1));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_SignerUsed.selector);
        seats.join(seatSigner(1), "", 0, signature);
        stakeFor(address(this), SEAT_STAKE);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_SignerUsed.selector);
        seats.join(seatSigner(2), "", 0, signature);
    }

    function test_a_join_signed_for_another_account_or_twice__reverts() public {
        joinSeats(4);
        bytes memory signature = seatSignature(9, seatAccount(8));
        stakeFor(seatAccount(9), SEAT_STAKE);
        vm.prank(seatAccount(9));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_BadSignature.selector);
        seats.join(seatSigner(9), "", 0, signature);
        joinFails(2, IValidatorSet.ValidatorSet_AlreadySeated.selector);
        vm.prank(seatAccount(9));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_ZeroAddress.selector);
        seats.join(address(0), "", 0, signature);
    }

    function test_a_seats_stake__is_held_through_the_proof_window() public {
        joinSeats(4);
        reach(0);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.releaseStake(seatAccount(1));
        leave(1);
        uint64 gone = seats.member(seatAccount(1)).leftFrom;
        eq(gone, 2, "e + 2");
        vm.prank(seatAccount(1));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.leave();
        reach(3);
        vm.warp(startOf(gone) + PROOF_WINDOW - 1);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_StillProvable.selector);
        seats.releaseStake(seatAccount(1));
        eq(stake.freeStake(seatAccount(1)), 0, "held");
        vm.warp(startOf(gone) + PROOF_WINDOW + EPOCH);
        seats.releaseStake(seatAccount(1));
        eq(stake.freeStake(seatAccount(1)), SEAT_STAKE, "free");
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.releaseStake(seatAccount(1));
    }

    function test_no_seats__open_no_epoch_and_fewer_than_four_earn_nothing() public {
        vm.warp(startOf(0) + 1);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_NoSeats.selector);
        oracle.openEpoch(0);
        joinSeats(3);
        reach(0);
        sealEpoch(0, 0, 0);
        drawEpoch(0);
        IEpochOracle.Report memory r = plainReport(0);
        r.rewardsTotal = 1;
        IEpochOracle.Quorum memory q = quorumOver(reportDigest(r), 3);
        vm.expectPartialRevert(IEpochOracle.EpochOracle_RewardsBeyondSchedule.selector);
        oracle.report(r, q);
        r.rewardsTotal = 0;
        postReport(r);
    }

    function test_only_the_oracle_and_the_proofs__change_the_set() public {
        joinSeats(4);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotOracle.selector);
        seats.snapshot(0);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotFraudProofs.selector);
        seats.markSlashed(seatAccount(0));
    }

    function test_a_slashed_seat__leaves_the_sets_to_come() public {
        joinSeats(5);
        reach(0);
        vm.prank(address(fraud));
        seats.markSlashed(seatAccount(2));
        eq(stake.freeStake(seatAccount(2)), SEAT_STAKE, "released for the slash");
        reach(2);
        eq(seatsAt(2), 4, "gone");
        vm.prank(address(fraud));
        seats.markSlashed(seatAccount(2));
        eq(uint256(seats.member(seatAccount(2)).status), uint256(IValidatorSet.Status.Left), "left");
    }

    function test_a_pause_of_entry__keeps_newcomers_out_and_lets_everyone_leave() public {
        joinSeats(5);
        vm.prank(GUARDIAN);
        seats.pauseEntry(1 days);
        joinFails(9, bytes4(keccak256("EntryPausedUntil(uint40)")));
        leave(0);
        eq(seats.plannedSeats().length, 4, "left");
    }

    /// @dev What currentSeats foretells is what the next epoch fixes.
    function sameAsForetold(uint64 e) internal {
        vm.warp(startOf(e) + 1);
        IValidatorSet.Seat[] memory foretold = seats.currentSeats();
        reach(e);
        IValidatorSet.Seat[] memory fixed_ = seats.seatsOf(oracle.epochState(e).setId);
        eq(keccak256(abi.encode(foretold)), keccak256(abi.encode(fixed_)), "foretold");
    }

    function test_current_seats__are_those_that_the_next_epoch_fixes() public {
        joinSeats(5);
        sameAsForetold(0);
        leave(1);
        join(8, SEAT_STAKE);
        join(9, SEAT_STAKE);
        leave(4);
        for (uint64 e = 1; e < 8; ++e) sameAsForetold(e);
        eq(seats.plannedSeats().length, 5, "two went, two came");
    }

    function test_an_outbid_of_an_odd_stake__is_rounded_up() public {
        joinSeats(31);
        for (uint256 i = 0; i < 31; ++i) {
            stakeFor(seatAccount(i), 7);
            vm.prank(seatAccount(i));
            seats.raiseStake(7);
        }
        // 110 % of 100,000e18 + 7 is 110,000e18 + 7.7.
        uint128 needed = SEAT_STAKE * 11 / 10 + 8;
        stakeFor(seatAccount(40), needed - 1);
        bytes memory signature = seatSignature(40, seatAccount(40));
        vm.prank(seatAccount(40));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_Full.selector);
        seats.join(seatSigner(40), "", 0, signature);
        stakeFor(seatAccount(40), 1);
        vm.prank(seatAccount(40));
        seats.join(seatSigner(40), "", 0, signature);
        eq(seats.member(seatAccount(40)).stake, needed, "rounded up");
    }
}
