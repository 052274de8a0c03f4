// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract OutbidTest is SeatCourse {
    uint128 internal constant PRICE = SEAT_STAKE * 11 / 10;

    /// @dev All seats taken; seat 17 has the lowest stake.
    function setUp() public override {
        deployNetwork();
        joinSeats(31);
        for (uint256 i = 0; i < 31; ++i) if (i != 17) raise(i, 20_000e18);
        reach(0);
    }

    function full(uint128 lowest, uint128 needed) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IValidatorSet.ValidatorSet_Full.selector, uint256(31), uint256(lowest), uint256(needed)
        );
    }

    /// @dev Seat i joins with just what it takes.
    function outbid(uint256 i, uint128 price) internal {
        stakeFor(seatAccount(i), price);
        joinAs(seatAccount(i), i);
    }

    function test_join__all_seats_taken_and_too_little_stake__refused_with_what_it_takes() public {
        stakeFor(seatAccount(40), PRICE - 1);
        joinFails(seatAccount(40), 40, full(SEAT_STAKE, PRICE));
    }

    function test_join__all_seats_taken_and_110_percent__takes_the_lowest_seats_place() public {
        stakeFor(seatAccount(40), PRICE + 7);
        vm.expectEmit();
        emit IValidatorSet.SeatOutbid(seatAccount(17), seatAccount(40), 2);
        joinAs(seatAccount(40), 40);
        eq(seats.member(seatAccount(40)).stake, PRICE, "110 %");
        eq(free(40), 7, "no more");
        isTrue(planned(40) && !planned(17), "planned");
        stands(17, IValidatorSet.Status.Leaving, "outbid");
        eq(seats.member(seatAccount(17)).leftFrom, 2, "not before");
        reach(1);
        isTrue(sits(1, 17) && !sits(1, 40), "notice");
        reach(2);
        eq(seatsAt(2), 31, "still full");
        (address account,) = seats.seatAt(oracle.epochState(2).setId, 17);
        eq(account, seatAccount(40), "in its place");
        stands(17, IValidatorSet.Status.Left, "gone");
        eq(seats.member(seatAccount(17)).leftFrom, 2, "from");
    }

    function test_join__lowest_stake_is_odd__110_percent_rounded_up() public {
        raise(17, 7);
        // 110 % of 100,000e18 + 7 is 110,000e18 + 7.7.
        stakeFor(seatAccount(40), PRICE + 7);
        joinFails(seatAccount(40), 40, full(SEAT_STAKE + 7, PRICE + 8));
        stakeFor(seatAccount(40), 1);
        joinAs(seatAccount(40), 40);
        eq(seats.member(seatAccount(40)).stake, PRICE + 8, "rounded up");
    }

    function test_join__a_place_is_free_again__costs_the_seat_stake() public {
        leave(3);
        outbid(40, SEAT_STAKE);
        eq(seats.member(seatAccount(40)).stake, SEAT_STAKE, "no more than a seat");
        isTrue(planned(17), "nobody outbid");
    }

    function test_raise_stake__of_a_seat_outbid__refused() public {
        outbid(40, PRICE);
        stakeFor(seatAccount(17), 1);
        vm.prank(seatAccount(17));
        vm.expectRevert(notSeated(17));
        seats.raiseStake(1);
    }

    function test_outbid__bidder_withdraws__outbid_seat_keeps_its_place() public {
        outbid(40, PRICE);
        vm.expectEmit();
        emit IValidatorSet.SeatKept(seatAccount(17));
        leave(40);
        stands(17, IValidatorSet.Status.Seated, "as before");
        eq(seats.member(seatAccount(17)).leftFrom, 0, "it does not leave");
        stands(40, IValidatorSet.Status.None, "never came");
        eq(free(40), PRICE, "and has its stake");
        reach(3);
        isTrue(sits(3, 17) && !sits(3, 40), "nothing changed");
        eq(seats.currentSetId(), 1, "not even the set");
    }

    function test_outbid__bidder_is_outbid_in_turn__the_seat_in_question_still_leaves_for_the_last() public {
        outbid(40, PRICE);
        uint128 more = PRICE * 11 / 10;
        stakeFor(seatAccount(41), more);
        reach(1);
        vm.expectEmit();
        emit IValidatorSet.SeatJoinCancelled(seatAccount(40));
        vm.expectEmit();
        emit IValidatorSet.SeatOutbid(seatAccount(40), seatAccount(41), 3);
        joinAs(seatAccount(41), 41);
        stands(40, IValidatorSet.Status.None, "cancelled at once");
        eq(free(40), PRICE, "its stake is free");
        isTrue(!seats.member(seatAccount(40)).reserved, "nothing reserved");
        stands(17, IValidatorSet.Status.Leaving, "it still leaves");
        eq(seats.member(seatAccount(17)).leftFrom, 3, "an epoch later");
        reach(2);
        isTrue(sits(2, 17), "not before");
        reach(3);
        isTrue(sits(3, 41) && !sits(3, 17) && !sits(3, 40), "for the last");
        eq(seatsAt(3), 31, "full");
    }

    function test_outbid__last_bidder_withdraws__first_seat_keeps_its_place() public {
        outbid(40, PRICE);
        outbid(41, PRICE * 11 / 10);
        leave(41);
        stands(17, IValidatorSet.Status.Seated, "as before");
        reach(3);
        isTrue(sits(3, 17), "stays");
    }

    function test_outbid__newcomer_without_anybody_leaving_is_outbid__one_comes() public {
        leave(3);
        outbid(40, SEAT_STAKE);
        raise(17, 1);
        outbid(41, PRICE);
        stands(40, IValidatorSet.Status.None, "cancelled");
        reach(3);
        isTrue(sits(3, 41) && !sits(3, 3), "the free place");
        eq(seatsAt(3), 31, "nobody else left");
    }

    function test_outbid__outbid_seat_is_slashed_meanwhile__bidder_still_comes() public {
        outbid(40, PRICE);
        slash(17);
        reach(1);
        eq(seatsAt(1), 30, "the slashed one left at once");
        reach(2);
        isTrue(sits(2, 40), "on the free place");
        eq(seatsAt(2), 31, "full");
    }

    function test_outbid__outbid_seat_slashed_and_bidder_withdraws__nobody_comes_back() public {
        outbid(40, PRICE);
        slash(17);
        leave(40);
        reach(3);
        eq(seatsAt(3), 30, "one less");
        isTrue(!sits(3, 17), "slashed");
    }

    function test_outbid__lowest_of_several_equal__the_first_in_the_set() public {
        for (uint256 i = 0; i < 31; ++i) if (i != 17 && i != 5) raise(i, 1);
        raise(17, 20_000e18);
        outbid(40, (SEAT_STAKE + 20_000e18) * 11 / 10);
        isTrue(!planned(5) && planned(17), "seat 5");
    }
}
