// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract ReleaseStakeTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(4);
        reach(0);
    }

    function stillProvable(uint256 i, uint256 at) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_StillProvable.selector, seatAccount(i), at);
    }

    function test_release_stake__a_day_after_the_proof_window__free_for_anyones_call() public {
        leave(1);
        reach(2);
        uint256 at = startOf(2) + PROOF_WINDOW + 1 days;
        vm.warp(at - 1);
        vm.expectRevert(stillProvable(1, at));
        seats.releaseStake(seatAccount(1));
        eq(free(1), 0, "held");
        vm.warp(at);
        vm.expectEmit();
        emit IValidatorSet.SeatStakeReleased(seatAccount(1), SEAT_STAKE);
        vm.prank(address(0x57a6e4));
        seats.releaseStake(seatAccount(1));
        eq(free(1), SEAT_STAKE, "free");
        stands(1, IValidatorSet.Status.None, "done");
    }

    function test_release_stake__last_proof_and_a_day_more__still_find_it() public {
        leave(1);
        reach(2);
        vm.warp(startOf(2) + PROOF_WINDOW);
        isTrue(oracle.provable(1), "its last epoch");
        vm.warp(startOf(2) + PROOF_WINDOW + 1);
        isTrue(!oracle.provable(1), "no more");
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days - 1);
        vm.expectRevert(stillProvable(1, startOf(2) + PROOF_WINDOW + 1 days));
        seats.releaseStake(seatAccount(1));
        eq(slash(1), SEAT_STAKE, "a fault recorded in the last second");
    }

    function test_release_stake__set_changed_late__counts_from_the_epoch_without_the_seat() public {
        leave(0);
        leave(1);
        leave(2);
        reach(4);
        eq(seats.member(seatAccount(2)).leftFrom, 4, "the third leaves two epochs after the first");
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(0));
        vm.expectRevert(stillProvable(2, startOf(4) + PROOF_WINDOW + 1 days));
        seats.releaseStake(seatAccount(2));
    }

    function test_release_stake__twice__refused() public {
        leave(1);
        reach(2);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(1));
        vm.expectRevert(notSeated(1));
        seats.releaseStake(seatAccount(1));
    }

    function test_release_stake__seat_that_sits_waits_or_never_was__refused() public {
        join(9, SEAT_STAKE);
        vm.warp(startOf(30) + 1 days);
        vm.expectRevert(notSeated(1));
        seats.releaseStake(seatAccount(1));
        vm.expectRevert(notSeated(9));
        seats.releaseStake(seatAccount(9));
        vm.expectRevert(notSeated(20));
        seats.releaseStake(seatAccount(20));
    }

    function test_release_stake__leaving_and_not_even_due_that_long__refused() public {
        leave(1);
        uint256 at = startOf(2) + PROOF_WINDOW + 1 days;
        vm.warp(at - 1);
        vm.expectRevert(stillProvable(1, at));
        seats.releaseStake(seatAccount(1));
        vm.warp(at);
        seats.releaseStake(seatAccount(1));
    }

    /// @dev An epoch in a ring's time, so that changes come slower than proof windows pass: who still sits in an epoch that can be
    /// proven against keeps its stake there.
    function test_release_stake__leaving_and_sitting_in_an_epoch_that_is_kept__refused() public {
        leave(1);
        leave(2);
        skipTo(100);
        isTrue(!sits(100, 1) && sits(100, 2), "one an epoch");
        uint64 kept = 100;
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_StillSitting.selector, seatAccount(2), kept)
        );
        seats.releaseStake(seatAccount(2));
        vm.warp(startOf(101 + oracle.ringSize()) - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_StillSitting.selector, seatAccount(2), kept)
        );
        seats.releaseStake(seatAccount(2));
        vm.warp(startOf(101 + oracle.ringSize()));
        seats.releaseStake(seatAccount(2));
        eq(free(2), SEAT_STAKE, "free");
    }

    function test_release_stake__of_one_leaving_without_an_epoch__out_with_the_next_past_the_queue() public {
        leave(1);
        leave(2);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(2));
        uint64 e = oracle.currentEpoch() + 1;
        skipTo(e);
        isTrue(!sits(e, 1) && !sits(e, 2), "both: one by the queue, one past it");
        eq(seatsAt(e), 2, "two are left");
        eq(seats.member(seatAccount(2)).leftFrom, e, "from here on");
    }

    function test_release_stake__stake_was_slashed__no_release_and_the_account_free() public {
        leave(1);
        reach(2);
        slash(1);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(1));
        stands(1, IValidatorSet.Status.None, "free to join");
        eq(free(1), SEAT_STAKE, "as the slash left it");
    }
}
