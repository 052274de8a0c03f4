// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

contract CheckInTest is SeatCourse {
    function setUp() public override {
        deployNetwork();
        joinSeats(4);
    }

    function noCheckIn(uint64 epoch) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_NoCheckIn.selector, epoch);
    }

    function already(uint256 i, uint64 epoch) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_CheckedInAlready.selector, seatAccount(i), epoch);
    }

    function marks(uint256 i, uint256 latest, uint256 bits) internal view {
        IValidatorSet.Member memory m = seats.member(seatAccount(i));
        eq(m.checkedIn, latest + 1, "latest");
        eq(m.checkIns, bits, "bits");
    }

    function test_check_in__epoch_stopped_before_its_seal__noted() public {
        uint64 e = stop();
        vm.expectEmit();
        emit IValidatorSet.CheckedIn(seatAccount(3), e);
        checkIn(3, e);
        marks(3, 0, 1);
    }

    function test_check_in__seal_still_possible__refused_to_the_second() public {
        uint64 e = play(0, 0);
        vm.warp(startOf(e) + SEAL_BY);
        checkInFails(3, e, noCheckIn(e));
        vm.warp(startOf(e) + SEAL_BY + 1);
        checkIn(3, e);
    }

    function test_check_in__to_the_end_of_the_next_epoch__and_not_when_evictions_count_it() public {
        uint64 e = stop();
        vm.warp(startOf(e + 2) - 1);
        checkIn(2, e);
        vm.warp(startOf(e + 2));
        checkInFails(3, e, noCheckIn(e));
    }

    function test_check_in__epoch_sealed__refused() public {
        uint64 e = play(0x7, 0);
        vm.warp(startOf(e) + SEAL_BY + 1);
        checkInFails(3, e, noCheckIn(e));
    }

    function test_check_in__epoch_voided_without_a_seal__noted() public {
        uint64 e = stop();
        oracle.voidEpoch(e);
        checkIn(3, e);
        marks(3, 0, 1);
    }

    function test_check_in__epoch_never_opened_or_to_come__refused() public {
        skipTo(3);
        vm.warp(startOf(3) + SEAL_BY + 1);
        checkInFails(3, 2, noCheckIn(2));
        checkInFails(3, 4, noCheckIn(4));
        checkInFails(3, type(uint64).max, noCheckIn(type(uint64).max));
    }

    function test_check_in__epoch_of_the_ring_before__refused() public {
        stop();
        next = oracle.ringSize();
        uint64 e = stop();
        checkInFails(3, 0, noCheckIn(0));
        checkIn(3, e);
    }

    function test_check_in__not_in_the_set_of_the_epoch__refused() public {
        reach(0);
        join(9, SEAT_STAKE);
        vm.warp(startOf(0) + SEAL_BY + 1);
        checkInFails(
            9, 0, abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotInSet.selector, seatAccount(9), uint64(0))
        );
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotInSet.selector, address(this), uint64(0))
        );
        seats.checkIn(0);
    }

    /// @dev Accounts lie behind the signers in a set's blob: one of them is no signer.
    function test_check_in__by_a_signer_key_that_is_an_account_of_the_set__refused() public {
        reach(0);
        for (uint256 i = 0; i < 4; ++i) {
            stakeFor(seatAccount(9 + i), SEAT_STAKE);
            joinAs(seatAccount(9 + i), 1_000 + i);
            eq(seatSigner(1_000 + i), seatAccount(i), "signs with the key of an account");
        }
        vm.warp(startOf(0) + SEAL_BY + 1);
        for (uint256 i = 9; i < 13; ++i) {
            checkInFails(
                i, 0, abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotInSet.selector, seatAccount(i), uint64(0))
            );
        }
    }

    function test_check_in__twice__refused() public {
        uint64 first = stop();
        checkIn(3, first);
        checkInFails(3, first, already(3, first));
        uint64 second = stop();
        checkIn(3, second);
        checkInFails(3, second, already(3, second));
        checkInFails(3, first, already(3, first));
    }

    function test_check_in__for_the_epoch_before_after_the_latest__both_noted() public {
        uint64 first = stop();
        uint64 second = stop();
        checkIn(3, second);
        marks(3, 1, 1);
        checkIn(3, first);
        marks(3, 1, 3);
    }

    function test_check_in__epoch_after_epoch__bits_move_on() public {
        for (uint256 i = 0; i < 3; ++i) checkIn(3, stop());
        marks(3, 2, 7);
        next += 4;
        checkIn(3, stop());
        marks(3, 7, 0xe1);
    }

    function test_check_in__64_epochs_and_more_after_the_last__old_ones_fall_out() public {
        checkIn(3, stop());
        next = 63;
        checkIn(3, stop());
        marks(3, 63, (1 << 63) | 1);
        next = 64;
        checkIn(3, stop());
        marks(3, 64, 3);
        next = 64 + 300;
        checkIn(3, stop());
        marks(3, 364, 1);
    }

    function test_check_in__seat_that_leaves__still_noted() public {
        reach(0);
        leave(3);
        vm.warp(startOf(0) + SEAL_BY + 1);
        checkIn(3, 0);
        marks(3, 0, 1);
    }

    function test_check_in__marks_of_one_seat__change_nothing_for_another() public {
        uint64 e = stop();
        checkIn(3, e);
        eq(seats.member(seatAccount(2)).checkedIn, 0, "not this one");
    }
}
