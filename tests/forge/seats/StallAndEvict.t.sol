// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

/// @title A third of the seats that stalls until the rest can be evicted
/// @dev Three of seven sign nothing: the four that are left are no quorum of five, and no epoch is sealed.
contract StallAndEvictTest is SeatCourse {
    uint256 internal constant HONEST_FROM = 3;

    function setUp() public override {
        deployNetwork();
        joinSeats(7);
    }

    function stall(uint256 epochs, bool attackersCheckIn) internal {
        for (uint256 i = 0; i < epochs; ++i) {
            uint64 e = stop();
            for (uint256 seat = attackersCheckIn ? 0 : HONEST_FROM; seat < 7; ++seat) checkIn(seat, e);
        }
        vm.warp(startOf(next + 1));
    }

    function test_evict__three_of_seven_stall_and_all_check_in__nobody_goes() public {
        stall(IDLE_EPOCHS + 3, true);
        for (uint256 seat = 0; seat < 7; ++seat) evictFails(seat, 0);
    }

    function test_evict__three_of_seven_stall_and_the_honest_check_in__the_three_go() public {
        stall(IDLE_EPOCHS, false);
        for (uint256 seat = HONEST_FROM; seat < 7; ++seat) evictFails(seat, 0);
        for (uint256 seat = 0; seat < HONEST_FROM; ++seat) seats.evict(seatAccount(seat));
        next = next + 3;
        reach(next + 3);
        eq(seatsAt(next - 1), 4, "the honest are the set");
        isTrue(sits(next - 1, 6) && !sits(next - 1, 0), "they");
    }

    /// @dev The check-in at the end of the stall, as it worked before: one at once for all that was missed.
    function test_check_in__at_the_end_of_the_stall_for_what_was_missed__refused() public {
        for (uint256 i = 0; i < IDLE_EPOCHS; ++i) stop();
        for (uint64 e = 0; e + 2 < next; ++e) {
            checkInFails(0, e, abi.encodeWithSelector(IValidatorSet.ValidatorSet_NoCheckIn.selector, e));
        }
        checkIn(0, next - 1);
        checkIn(0, next - 2);
        vm.warp(startOf(next + 1));
        evictFails(0, IDLE_EPOCHS - 2);
    }

    /// @dev Some honest seat is always excused for the epochs of the stall, so that what it signed before decides.
    function test_evict__honest_seat_missed_single_check_ins__not_enough() public {
        for (uint256 i = 0; i < 2 * IDLE_EPOCHS - 2; ++i) {
            uint64 e = stop();
            if (i % 2 == 0) checkIn(HONEST_FROM, e);
        }
        vm.warp(startOf(next + 1));
        evictFails(HONEST_FROM, IDLE_EPOCHS - 1);
    }
}
