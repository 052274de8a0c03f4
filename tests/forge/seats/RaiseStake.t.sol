// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract RaiseStakeTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(4);
    }

    function test_raise_stake__free_stake__reserved_for_the_seat() public {
        stakeFor(seatAccount(2), 10);
        vm.expectEmit();
        emit IValidatorSet.SeatRaised(seatAccount(2), SEAT_STAKE + 4);
        vm.prank(seatAccount(2));
        seats.raiseStake(4);
        eq(seats.member(seatAccount(2)).stake, SEAT_STAKE + 4, "stake");
        eq(free(2), 6, "free");
    }

    function test_raise_stake__more_than_there_is__refused_by_name() public {
        refused(1);
        refused(type(uint128).max);
    }

    function test_raise_stake__without_a_seat__refused() public {
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotSeated.selector, address(this)));
        seats.raiseStake(1);
    }

    function test_raise_stake__of_a_seat_that_leaves__refused() public {
        reach(0);
        leave(2);
        vm.prank(seatAccount(2));
        vm.expectRevert(notSeated(2));
        seats.raiseStake(0);
    }

    function refused(uint128 amount) internal {
        vm.prank(seatAccount(2));
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeManager.StakeManager_InsufficientStake.selector, seatAccount(2), uint256(0), uint256(amount)
            )
        );
        seats.raiseStake(amount);
    }
}
