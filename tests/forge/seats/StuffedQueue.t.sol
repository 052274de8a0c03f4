// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

/// @title A queue stuffed so that others wait
contract StuffedQueueTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(7);
        reach(0);
    }

    /// @dev As it worked before: thirty pairs of joining and leaving stood in front of whoever came next.
    function test_slashed__behind_joins_and_leaves_of_a_whale__gone_with_the_next_epoch() public {
        for (uint256 i = 10; i < 40; ++i) {
            join(i, SEAT_STAKE);
            leave(i);
        }
        slash(0);
        reach(1);
        isTrue(!sits(1, 0), "gone");
    }

    function test_leave__behind_joins_and_leaves_of_a_whale__not_held_up() public {
        for (uint256 i = 10; i < 40; ++i) {
            join(i, SEAT_STAKE);
            leave(i);
        }
        leave(0);
        reach(2);
        isTrue(!sits(2, 0), "gone in its time");
    }

    function test_join__queue_full_of_a_whales_joins__outbid_for_110_percent_of_the_least() public {
        for (uint256 i = 10; i < 34; ++i) join(i, SEAT_STAKE);
        for (uint256 i = 0; i < 7; ++i) raise(i, 20_000e18);
        eq(seats.plannedSeats().length, 31, "no place left");
        uint128 price = SEAT_STAKE * 11 / 10;
        stakeFor(seatAccount(50), price);
        joinAs(seatAccount(50), 50);
        isTrue(planned(50) && !planned(10), "in place of a seat that waited");
        stands(10, IValidatorSet.Status.None, "cancelled");
        // It waits behind those that were there before, one an epoch, as anybody does.
        reach(30);
        isTrue(sits(30, 50), "sits in the end");
    }

    function test_slashed__behind_a_whales_joins__gone_with_the_next_epoch_and_one_comes() public {
        for (uint256 i = 10; i < 34; ++i) join(i, SEAT_STAKE);
        reach(1);
        slash(0);
        slash(1);
        reach(2);
        eq(seatsAt(2), 6, "two went, one came");
    }

    /// @dev The openings that follow pay for what waits, never for what came and went.
    function test_open_epoch__after_a_thousand_joins_and_leaves__costs_what_it_did() public {
        uint256 state = vm.snapshotState();
        join(8, SEAT_STAKE);
        uint256 plain = openingCost();
        vm.revertToState(state);
        stakeFor(seatAccount(9), SEAT_STAKE);
        for (uint256 k = 1_000; k < 1_200; ++k) {
            joinAs(seatAccount(9), k);
            leave(9);
        }
        join(8, SEAT_STAKE);
        atMost(openingCost(), plain + 5_000, "no more");
    }

    function openingCost() private returns (uint256 gas) {
        vm.warp(startOf(2) + 1);
        gas = gasleft();
        oracle.openEpoch(2);
        gas -= gasleft();
    }
}
