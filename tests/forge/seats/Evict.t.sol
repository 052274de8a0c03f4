// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

/// @title What a seat left out, and what it did not
/// @dev Four seats, a quorum of three; six epochs (IDLE_EPOCHS) left out take a seat.
contract EvictTest is SeatCourse {
    uint256 internal constant ALL = 0xf;
    uint256 internal constant WITHOUT_3 = 0x7;

    function setUp() public override {
        deployNetwork();
        joinSeats(4);
    }

    /// @dev Goes on to the epoch in which those played so far count.
    function settle() internal {
        vm.warp(startOf(next + 1));
    }

    function test_evict__left_out_of_every_seal__evicted_unslashed_by_anyone() public {
        playUntil(5, WITHOUT_3, WITHOUT_3);
        settle();
        vm.expectEmit();
        emit IValidatorSet.SeatEvicted(seatAccount(3), 0, 9);
        vm.prank(address(0x57a6e4));
        seats.evict(seatAccount(3));
        stands(3, IValidatorSet.Status.Leaving, "leaving");
        eq(stake.account(seatAccount(3)).active, SEAT_STAKE, "unslashed");
        eq(free(3), 0, "held as any other's");
        next = 9;
        reach(9);
        isTrue(!sits(9, 3), "gone");
    }

    function test_evict__those_that_signed__refused() public {
        playUntil(5, WITHOUT_3, WITHOUT_3);
        settle();
        for (uint256 i = 0; i < 3; ++i) evictFails(i, 0);
    }

    function test_evict__one_epoch_too_few__refused() public {
        playUntil(4, WITHOUT_3, WITHOUT_3);
        settle();
        evictFails(3, 5);
    }

    function test_evict__last_epochs_may_still_be_signed__counted_no_sooner_than_that() public {
        playUntil(5, WITHOUT_3, WITHOUT_3);
        vm.warp(startOf(7) - 1);
        evictFails(3, 5);
        vm.warp(startOf(7));
        seats.evict(seatAccount(3));
    }

    function test_evict__one_signature_among_the_latest__begins_anew() public {
        playUntil(4, WITHOUT_3, WITHOUT_3);
        play(ALL, ALL);
        playUntil(10, WITHOUT_3, WITHOUT_3);
        vm.warp(startOf(12));
        evictFails(3, 5);
        vm.warp(startOf(12) - 1);
        playUntil(11, WITHOUT_3, WITHOUT_3);
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__signs_only_seals__evicted() public {
        playUntil(5, ALL, WITHOUT_3);
        settle();
        evictFails(2, 0);
        seats.evict(seatAccount(3));
    }

    function test_evict__signs_only_reports__evicted() public {
        playUntil(5, WITHOUT_3, ALL);
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__signs_seals_that_are_never_reported__refused() public {
        playUntil(5, ALL, 0);
        settle();
        evictFails(3, 0);
    }

    function test_evict__left_out_of_seals_never_reported__evicted() public {
        playUntil(5, WITHOUT_3, 0);
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__seals_voided_after_their_seal__count_by_the_seal() public {
        for (uint256 i = 0; i < 6; ++i) {
            uint64 e = play(WITHOUT_3, 0);
            vm.warp(startOf(e) + DRAW_BY + 1);
            oracle.voidEpoch(e);
        }
        settle();
        evictFails(2, 0);
        seats.evict(seatAccount(3));
    }

    function test_evict__late_signatures_under_seal_and_report__count() public {
        playUntil(4, WITHOUT_3, WITHOUT_3);
        uint64 e = play(WITHOUT_3, 0);
        oracle.addSignatures(e, false, 0, quorumOf(sealDigest(e, 0, keccak256("s"), 1), 8));
        drawEpoch(e);
        IEpochOracle.Report memory r = plainReport(e);
        oracle.report(r, quorumOf(reportDigest(r), WITHOUT_3));
        vm.warp(startOf(e) + EPOCH + DRAW_BY);
        oracle.addSignatures(e, true, 0, quorumOf(reportDigest(r), 8));
        vm.warp(startOf(e + 2));
        evictFails(3, 0);
    }

    function test_evict__late_signature_under_the_seal_alone__counts_for_nothing() public {
        playUntil(4, WITHOUT_3, WITHOUT_3);
        uint64 e = play(WITHOUT_3, 0);
        oracle.addSignatures(e, false, 0, quorumOf(sealDigest(e, 0, keccak256("s"), 1), 8));
        drawEpoch(e);
        IEpochOracle.Report memory r = plainReport(e);
        oracle.report(r, quorumOf(reportDigest(r), WITHOUT_3));
        settle();
        seats.evict(seatAccount(3));
    }

    /// @dev The last second in which a late signature is taken comes before the first in which its epoch counts.
    function test_evict__races_a_late_signature__never_before_it() public {
        playUntil(4, WITHOUT_3, WITHOUT_3);
        play(ALL, WITHOUT_3);
        IEpochOracle.Report memory r = plainReport(5);
        vm.warp(startOf(6) + DRAW_BY);
        evictFails(3, 5);
        oracle.addSignatures(5, true, 0, quorumOf(reportDigest(r), 8));
        vm.warp(startOf(7));
        evictFails(3, 0);
    }

    function test_evict__epochs_that_nobody_opened__count_for_nobody() public {
        playUntil(2, WITHOUT_3, WITHOUT_3);
        next = 6;
        playUntil(7, WITHOUT_3, WITHOUT_3);
        settle();
        evictFails(3, 5);
        playUntil(8, WITHOUT_3, WITHOUT_3);
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__nothing_opened_for_long__refused() public {
        reach(0);
        vm.warp(startOf(20));
        evictFails(3, 0);
    }

    function test_evict__epochs_older_than_the_ring__not_counted() public {
        playUntil(5, WITHOUT_3, WITHOUT_3);
        vm.warp(startOf(oracle.ringSize() + 1));
        evictFails(3, 5);
        vm.warp(startOf(oracle.ringSize() + 1) - 1);
        seats.evict(seatAccount(3));
    }

    function test_evict__seat_that_joined_since__counts_from_its_first_epoch() public {
        playUntil(3, WITHOUT_3, WITHOUT_3);
        join(4, SEAT_STAKE);
        playUntil(10, ALL, ALL);
        vm.warp(startOf(12) - 1);
        evictFails(4, 5);
        vm.warp(startOf(12));
        seats.evict(seatAccount(4));
    }

    function test_evict__join_still_waits__refused() public {
        playUntil(8, ALL, ALL);
        join(9, SEAT_STAKE);
        evictFails(9, 0);
    }

    function test_evict__no_seat_or_leaving_or_left__refused() public {
        playUntil(5, WITHOUT_3, WITHOUT_3);
        settle();
        seats.evict(seatAccount(3));
        vm.expectRevert(notSeated(3));
        seats.evict(seatAccount(3));
        vm.expectRevert(notSeated(9));
        seats.evict(seatAccount(9));
    }

    function test_evict__stopped_epochs_without_a_check_in__left_out() public {
        for (uint256 i = 0; i < 6; ++i) stop();
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__stopped_epochs_with_a_check_in__excused() public {
        for (uint256 i = 0; i < 6; ++i) checkIn(3, stop());
        settle();
        evictFails(3, 0);
        seats.evict(seatAccount(2));
    }

    function test_evict__only_checks_in_while_others_seal__evicted() public {
        for (uint256 i = 0; i < 6; ++i) {
            play(WITHOUT_3, WITHOUT_3);
            // Every other epoch stops, and the seat is there to say so.
            checkIn(3, stop());
        }
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__check_ins_between_what_it_left_out__neither_help_nor_harm() public {
        playUntil(2, WITHOUT_3, WITHOUT_3);
        for (uint256 i = 0; i < 4; ++i) checkIn(3, stop());
        playUntil(8, WITHOUT_3, WITHOUT_3);
        settle();
        evictFails(3, 5);
        playUntil(9, WITHOUT_3, WITHOUT_3);
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__missed_check_in_among_stopped_epochs__counts() public {
        for (uint256 i = 0; i < 6; ++i) {
            uint64 e = stop();
            if (i % 2 == 0) checkIn(3, e);
        }
        settle();
        evictFails(3, 3);
    }

    function test_evict__stopped_epochs_after_its_last_check_in__left_out() public {
        checkIn(3, stop());
        for (uint256 i = 0; i < 5; ++i) stop();
        settle();
        evictFails(3, 5);
        stop();
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__signature_while_epochs_stop__does_not_help_against_missed_check_ins() public {
        play(ALL, ALL);
        for (uint256 i = 0; i < 6; ++i) stop();
        settle();
        seats.evict(seatAccount(3));
    }

    function test_evict__f_seats_idle__all_of_them_go_and_no_other() public {
        joinMore(7);
        reach(3);
        playUntil(9, 0x1f, 0x1f);
        settle();
        seats.evict(seatAccount(5));
        seats.evict(seatAccount(6));
        for (uint256 i = 0; i < 5; ++i) evictFails(i, 0);
        next = 13;
        reach(14);
        eq(seatsAt(14), 5, "five are left");
        eq(quorumOf(5), 4, "with a quorum of their own");
    }

    function joinMore(uint256 n) internal {
        for (uint256 i = 4; i < n; ++i) join(i, SEAT_STAKE);
    }
}
