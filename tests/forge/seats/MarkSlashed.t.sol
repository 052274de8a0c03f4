// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract MarkSlashedTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(5);
        reach(0);
    }

    function nothing(uint256 i, uint256 k) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IValidatorSet.ValidatorSet_NothingAtStake.selector, seatAccount(i), seatSigner(k)
        );
    }

    function slashFails(uint256 i, uint256 k, bytes memory why) internal {
        vm.prank(address(fraud));
        vm.expectRevert(why);
        seats.markSlashed(seatAccount(i), seatSigner(k));
    }

    function test_mark_slashed__seat_of_the_set__stake_released_and_gone_with_the_next_epoch() public {
        vm.expectEmit();
        emit IValidatorSet.SeatSlashed(seatAccount(2), seatSigner(2));
        vm.expectEmit();
        emit IValidatorSet.SeatStakeReleased(seatAccount(2), SEAT_STAKE);
        eq(slash(2), SEAT_STAKE, "what it had at stake");
        eq(free(2), SEAT_STAKE, "released for the slash");
        stands(2, IValidatorSet.Status.Unbacked, "nothing at stake");
        isTrue(!planned(2), "not planned");
        eq(seats.currentSeats().length, 4, "not foretold");
        vm.expectEmit();
        emit IValidatorSet.SeatVacated(seatAccount(2), 1);
        reach(1);
        eq(seatsAt(1), 4, "gone at once");
        isTrue(!sits(1, 2), "it");
        stands(2, IValidatorSet.Status.Left, "left");
        eq(seats.member(seatAccount(2)).leftFrom, 1, "from here on");
    }

    function test_mark_slashed__gone_and_other_changes_wait__the_set_changes_with_these_alone() public {
        slash(2);
        reach(1);
        eq(seats.currentSetId(), 2, "without it");
        join(9, SEAT_STAKE);
        reach(2);
        eq(seats.currentSetId(), 2, "nothing was due");
        reach(3);
        eq(seats.currentSetId(), 3, "the newcomer");
        leave(9);
        slash(4);
        reach(4);
        eq(seatsAt(4), 4, "another slashed one");
    }

    function test_mark_slashed__raised_stake__all_of_it() public {
        raise(2, 7);
        eq(slash(2), SEAT_STAKE + 7, "all");
    }

    function test_mark_slashed__a_second_time__refused() public {
        slash(2);
        slashFails(2, 2, nothing(2, 2));
        reach(1);
        slashFails(2, 2, nothing(2, 2));
    }

    function test_mark_slashed__other_signer_than_the_seats__refused() public {
        slashFails(2, 3, nothing(2, 3));
        slashFails(9, 9, nothing(9, 9));
        vm.prank(address(fraud));
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_NothingAtStake.selector, seatAccount(9), address(0))
        );
        seats.markSlashed(seatAccount(9), address(0));
    }

    function test_mark_slashed__for_an_earlier_tenure__takes_nothing_of_the_present_one() public {
        leave(2);
        reach(2);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(2));
        slashFails(2, 2, nothing(2, 2));
        joinAs(seatAccount(2), 9);
        slashFails(2, 2, nothing(2, 2));
        eq(free(2), 0, "the new seat's stake is where it was");
    }

    function test_mark_slashed__anybody_else_calls__refused() public {
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotFraudProofs.selector, address(this)));
        seats.markSlashed(seatAccount(2), seatSigner(2));
    }

    function test_mark_slashed__seat_that_is_leaving__gone_with_the_next_epoch_and_its_change_with_it() public {
        leave(2);
        leave(3);
        slash(2);
        reach(1);
        eq(seatsAt(1), 4, "the slashed one");
        reach(2);
        eq(seatsAt(2), 3, "the other's leaving is not held up by it");
        isTrue(!sits(2, 3), "it");
        reach(3);
        eq(seatsAt(3), 3, "and no more");
    }

    function test_mark_slashed__seat_that_left__its_stake_taken_and_nothing_else_changed() public {
        leave(2);
        reach(2);
        eq(slash(2), SEAT_STAKE, "stake");
        stands(2, IValidatorSet.Status.Left, "left");
        eq(seats.member(seatAccount(2)).leftFrom, 2, "as before");
        reach(3);
        eq(seats.currentSetId(), 2, "no change of the set");
    }

    function test_mark_slashed__join_still_waits__never_comes() public {
        join(9, SEAT_STAKE);
        vm.expectEmit();
        emit IValidatorSet.SeatJoinCancelled(seatAccount(9));
        eq(slash(9), SEAT_STAKE, "its stake");
        isTrue(!planned(9), "not planned");
        stands(9, IValidatorSet.Status.None, "nothing");
        reach(3);
        eq(seatsAt(3), 5, "as before");
    }

    function test_mark_slashed__several__all_gone_with_the_next_epoch_and_joins_still_bounded() public {
        for (uint256 i = 10; i < 14; ++i) join(i, SEAT_STAKE);
        reach(1);
        slash(0);
        slash(2);
        slash(4);
        IValidatorSet.Seat[] memory foretold = seats.currentSeats();
        eq(foretold.length, 2, "foretold for this epoch");
        reach(2);
        eq(seatsAt(2), 3, "three went, one came");
        isTrue(sits(2, 1) && sits(2, 3) && sits(2, 10), "they");
        reach(3);
        eq(seatsAt(3), 4, "one an epoch");
        reach(5);
        eq(seatsAt(5), 6, "and so on");
    }

    function test_mark_slashed__of_a_large_set__bound_is_that_of_what_is_left() public {
        for (uint256 i = 5; i < 19; ++i) join(i, SEAT_STAKE);
        reach(12);
        eq(seatsAt(12), 19, "one an epoch below 13 seats, then two");
        for (uint256 i = 20; i < 25; ++i) join(i, SEAT_STAKE);
        reach(13);
        for (uint256 i = 0; i < 7; ++i) slash(i);
        reach(14);
        eq(seatsAt(14), 13, "12 were left: one came, where 19 would have let in three");
    }

    function test_mark_slashed__all_seats__network_goes_on_with_whoever_joins_one_by_one() public {
        for (uint256 i = 0; i < 5; ++i) slash(i);
        eq(seats.plannedSeats().length, 0, "nobody");
        eq(seats.currentSeats().length, 0, "nobody");
        vm.warp(startOf(1) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NoSeats.selector, uint64(1)));
        oracle.openEpoch(1);
        for (uint256 i = 10; i < 14; ++i) join(i, SEAT_STAKE);
        for (uint64 e = 3; e < 7; ++e) {
            skipTo(e);
            eq(seatsAt(e), e - 2, "one an epoch");
        }
        isTrue(sits(6, 10) && sits(6, 13) && !sits(6, 0), "the newcomers");
    }

    function test_mark_slashed__signatures_of_epochs_already_opened__still_count() public {
        slash(2);
        vm.warp(startOf(0) + 400);
        oracle.seal(0, 0, keccak256("s"), 1, quorumOf(sealDigest(0, 0, keccak256("s"), 1), 0xf));
        (, uint32 signers,) = oracle.presence(0);
        eq(signers, 0xf, "with the slashed one's");
    }

    function test_mark_slashed__then_evicted_raised_or_left__refused() public {
        slash(2);
        vm.expectRevert(notSeated(2));
        seats.evict(seatAccount(2));
        vm.prank(seatAccount(2));
        vm.expectRevert(notSeated(2));
        seats.leave();
        vm.prank(seatAccount(2));
        vm.expectRevert(notSeated(2));
        seats.raiseStake(1);
        vm.expectRevert(notSeated(2));
        seats.releaseStake(seatAccount(2));
    }

    function test_mark_slashed__account_free_again_after_the_proof_window__nothing_released_twice() public {
        slash(2);
        reach(1);
        vm.warp(startOf(1) + PROOF_WINDOW + 1 days);
        uint256 before = stake.account(seatAccount(2)).reserved;
        seats.releaseStake(seatAccount(2));
        eq(stake.account(seatAccount(2)).reserved, before, "nothing was reserved any more");
        stands(2, IValidatorSet.Status.None, "may join again");
    }
}
