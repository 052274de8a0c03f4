// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract LeaveTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(4);
    }

    function test_leave__seat_of_the_set__gone_two_epochs_later() public {
        reach(0);
        vm.expectEmit();
        emit IValidatorSet.SeatLeft(seatAccount(3), 2);
        leave(3);
        stands(3, IValidatorSet.Status.Leaving, "leaving");
        eq(seats.member(seatAccount(3)).leftFrom, 2, "not before");
        reach(1);
        eq(seatsAt(1), 4, "notice");
        vm.expectEmit();
        emit IValidatorSet.SeatVacated(seatAccount(3), 2);
        reach(2);
        eq(seatsAt(2), 3, "gone");
        stands(3, IValidatorSet.Status.Left, "left");
    }

    function test_leave__seat_removed__its_signature_counts_no_more() public {
        reach(0);
        leave(3);
        reach(2);
        IEpochOracle.Quorum memory q = quorumOf(sealDigest(2, 0, keccak256("s"), 1), 0xb);
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_SignersOutOfSet.selector, uint32(0xb), uint256(3))
        );
        oracle.seal(2, 0, keccak256("s"), 1, q);
    }

    function test_leave__first_of_the_set__last_takes_its_place_in_signing_order() public {
        reach(0);
        leave(0);
        reach(2);
        IValidatorSet.Seat[] memory list = seats.seatsOf(oracle.epochState(2).setId);
        eq(list[0].account, seatAccount(3), "the last in its place");
        eq(list[0].signer, seatSigner(3), "with its signer");
        eq(list[1].account, seatAccount(1), "the others as before");
        eq(list.length, 3, "three");
    }

    function test_leave__application_skipped_over_epochs__left_from_the_epoch_that_was_opened() public {
        reach(0);
        leave(3);
        skipTo(5);
        isTrue(!sits(5, 3), "gone");
        eq(seats.member(seatAccount(3)).leftFrom, 5, "it was in the set till then");
    }

    function test_leave__join_still_waits__cancelled_and_stake_free_at_once() public {
        reach(0);
        join(9, SEAT_STAKE);
        vm.expectEmit();
        emit IValidatorSet.SeatJoinCancelled(seatAccount(9));
        vm.expectEmit();
        emit IValidatorSet.SeatStakeReleased(seatAccount(9), SEAT_STAKE);
        leave(9);
        stands(9, IValidatorSet.Status.None, "as if never joined");
        eq(free(9), SEAT_STAKE, "free");
        isTrue(!planned(9), "not planned");
        reach(4);
        eq(seatsAt(4), 4, "nobody came or went");
        eq(seats.currentSetId(), 1, "the set never changed");
    }

    function test_leave__one_of_several_joins_cancelled__others_keep_their_order() public {
        reach(0);
        for (uint256 i = 9; i < 13; ++i) join(i, SEAT_STAKE);
        leave(10);
        reach(2);
        isTrue(sits(2, 9), "first");
        reach(3);
        isTrue(sits(3, 11) && !sits(3, 12), "second");
        reach(4);
        isTrue(sits(4, 12), "third");
        eq(seatsAt(4), 7, "three came");
    }

    function test_leave__before_the_first_epoch__gone_at_once() public {
        leave(1);
        eq(free(1), SEAT_STAKE, "free");
        reach(0);
        eq(seatsAt(0), 3, "three");
        isTrue(!sits(0, 1), "gone");
    }

    function test_leave__account_that_joins_leaves_joins__comes_once_with_its_last_key() public {
        reach(0);
        stakeFor(seatAccount(9), SEAT_STAKE);
        for (uint256 k = 9; k < 20; ++k) {
            joinAs(seatAccount(9), k);
            if (k < 19) leave(9);
        }
        reach(5);
        eq(seatsAt(5), 5, "one seat");
        (, address signer) = seats.seatAt(oracle.epochState(5).setId, 4);
        eq(signer, seatSigner(19), "its last key");
        eq(seats.currentSetId(), 2, "one change");
    }

    function test_leave__twice_or_without_a_seat__refused() public {
        reach(0);
        leave(1);
        leaveFails(1);
        reach(2);
        leaveFails(1);
        leaveFails(9);
    }

    function test_leave__everyone_and_no_epoch_opened_any_more__every_stake_comes_back() public {
        reach(0);
        for (uint256 i = 0; i < 4; ++i) leave(i);
        // One could leave with each epoch, and the last with none: nobody opens them.
        vm.warp(startOf(0) + 20 * EPOCH + PROOF_WINDOW + 1 days);
        for (uint256 i = 0; i < 4; ++i) {
            seats.releaseStake(seatAccount(i));
            eq(free(i), SEAT_STAKE, "free");
            stands(i, IValidatorSet.Status.Unbacked, "sits with nothing at stake");
        }
        vm.expectRevert(notSeated(0));
        seats.releaseStake(seatAccount(0));
    }

    function test_leave__network_revived_after_everyone_left__those_with_nothing_at_stake_never_sit_again() public {
        reach(0);
        for (uint256 i = 0; i < 4; ++i) leave(i);
        vm.warp(startOf(0) + 20 * EPOCH + PROOF_WINDOW + 1 days);
        for (uint256 i = 0; i < 4; ++i) seats.releaseStake(seatAccount(i));
        join(9, SEAT_STAKE);
        uint64 e = oracle.currentEpoch() + 2;
        skipTo(e);
        eq(seatsAt(e), 1, "the newcomer");
        isTrue(sits(e, 9), "alone");
        stands(0, IValidatorSet.Status.Left, "left");
    }

    function test_leave__last_seat_and_a_newcomer_behind_it__one_follows_the_other() public {
        reach(0);
        for (uint256 i = 0; i < 4; ++i) leave(i);
        reach(4);
        eq(seatsAt(4), 1, "the last one still sits");
        vm.warp(startOf(5) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NoSeats.selector, uint64(5)));
        oracle.openEpoch(5);
        join(9, SEAT_STAKE);
        vm.warp(startOf(6) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NoSeats.selector, uint64(6)));
        oracle.openEpoch(6);
        skipTo(7);
        eq(seatsAt(7), 1, "one");
        isTrue(sits(7, 9), "the newcomer");
    }

    function leaveFails(uint256 i) internal {
        vm.prank(seatAccount(i));
        vm.expectRevert(notSeated(i));
        seats.leave();
    }
}
