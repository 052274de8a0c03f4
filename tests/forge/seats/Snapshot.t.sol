// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {SeatCourse} from "../base/SeatCourse.sol";

/// @title How fast a set changes, in which order, and that it is foretold
contract SnapshotTest is SeatCourse {
    function test_snapshot__anybody_but_the_oracle__refused() public {
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_NotOracle.selector, address(this)));
        seats.snapshot(0);
    }

    /// @dev Six newcomers at once to a set of `from`: how many the first and the second epoch after the notice take.
    function grows(uint256 from, uint256 first, uint256 second) internal {
        joinSeats(from);
        reach(0);
        for (uint256 i = 0; i < 6; ++i) join(from + i, SEAT_STAKE);
        reach(3);
        eq(seatsAt(1), from, "notice");
        eq(seatsAt(2), first, "first epoch of change");
        eq(seatsAt(3), second, "second epoch of change");
    }

    function test_snapshot__four_seats__one_change_an_epoch() public {
        grows(4, 5, 6);
    }

    function test_snapshot__twelve_seats__one_change_and_then_two() public {
        grows(12, 13, 15);
    }

    function test_snapshot__eighteen_seats__two_changes_and_then_three() public {
        grows(18, 20, 23);
    }

    function test_snapshot__nineteen_seats__three_changes() public {
        grows(19, 22, 25);
    }

    function test_snapshot__twenty_five_seats__four_changes() public {
        grows(25, 29, 31);
    }

    function test_snapshot__seats_all_taken_by_one__take_many_epochs() public {
        joinSeats(7);
        reach(0);
        for (uint256 i = 10; i < 34; ++i) join(i, SEAT_STAKE);
        reach(2);
        eq(seatsAt(2), 8, "one");
        reach(7);
        eq(seatsAt(7), 13, "six epochs for six seats");
        reach(8);
        eq(seatsAt(8), 15, "two from 13 on");
    }

    function test_snapshot__epochs_skipped__changes_no_more_than_one_epoch_would() public {
        joinSeats(7);
        reach(0);
        for (uint256 i = 10; i < 20; ++i) join(i, SEAT_STAKE);
        vm.warp(startOf(12));
        eq(seats.currentSeats().length, 8, "foretold");
        skipTo(12);
        eq(seatsAt(12), 8, "one");
        skipTo(30);
        eq(seatsAt(30), 9, "one more");
    }

    function test_snapshot__leaves_and_evictions_and_joins__share_the_bound_in_their_order() public {
        joinSeats(6);
        reach(0);
        leave(0);
        join(10, SEAT_STAKE);
        leave(1);
        join(11, SEAT_STAKE);
        reach(2);
        isTrue(seatsAt(2) == 5 && !sits(2, 0), "first");
        reach(3);
        isTrue(seatsAt(3) == 6 && sits(3, 10), "second");
        reach(4);
        isTrue(seatsAt(4) == 5 && !sits(4, 1), "third");
        reach(5);
        isTrue(seatsAt(5) == 6 && sits(5, 11), "fourth");
    }

    function test_snapshot__change_asked_for_an_epoch_ago__not_due() public {
        joinSeats(13);
        reach(0);
        join(20, SEAT_STAKE);
        reach(1);
        join(21, SEAT_STAKE);
        reach(2);
        eq(seatsAt(2), 14, "the first alone, though two may come");
        reach(3);
        eq(seatsAt(3), 15, "the second");
    }

    function test_snapshot__bound_of_the_set_as_it_was__does_not_grow_with_what_it_lets_in() public {
        joinSeats(12);
        reach(0);
        for (uint256 i = 20; i < 23; ++i) join(i, SEAT_STAKE);
        reach(2);
        eq(seatsAt(2), 13, "one of 12, though 13 would take two");
    }

    function test_snapshot__nothing_waits__set_and_its_number_stay() public {
        joinSeats(4);
        reach(5);
        eq(seats.currentSetId(), 1, "one set");
        eq(oracle.epochState(5).setId, 1, "for all epochs");
        eq(oracle.epochState(5).seats, 4, "of four");
    }

    /// @dev What currentSeats foretells is what the next epoch fixes.
    function sameAsForetold(uint64 e) internal {
        vm.warp(startOf(e) + 1);
        IValidatorSet.Seat[] memory foretold = seats.currentSeats();
        reach(e);
        IValidatorSet.Seat[] memory fixed_ = seats.seatsOf(oracle.epochState(e).setId);
        eq(keccak256(abi.encode(foretold)), keccak256(abi.encode(fixed_)), "foretold");
    }

    function test_current_seats__joins_leaves_and_slashes__are_those_that_the_next_epoch_fixes() public {
        joinSeats(13);
        sameAsForetold(0);
        leave(0);
        join(18, SEAT_STAKE);
        join(19, SEAT_STAKE);
        leave(12);
        sameAsForetold(1);
        slash(5);
        slash(12);
        for (uint64 e = 2; e < 9; ++e) sameAsForetold(e);
        eq(seats.plannedSeats().length, 12, "three went, two came");
    }

    function test_current_seats__outbid_in_a_full_set__foretold_too() public {
        joinSeats(31);
        sameAsForetold(0);
        join(40, SEAT_STAKE * 11 / 10);
        join(41, SEAT_STAKE * 11 / 10);
        for (uint64 e = 1; e < 4; ++e) sameAsForetold(e);
        isTrue(sits(3, 40) && sits(3, 41), "both");
    }

    function test_planned_seats__everything_that_waits__as_if_made() public {
        joinSeats(5);
        reach(0);
        leave(1);
        slash(3);
        join(10, SEAT_STAKE);
        eq(seats.plannedSeats().length, 4, "two go, one comes");
        isTrue(!planned(1) && !planned(3) && planned(10), "they");
        reach(5);
        eq(seatsAt(5), 4, "and so it was");
    }

    function test_seats__set_of_an_epoch__never_changes() public {
        joinSeats(4);
        reach(0);
        uint32 setId = oracle.epochState(0).setId;
        bytes32 before = keccak256(abi.encode(seats.seatsOf(setId)));
        leave(0);
        join(5, SEAT_STAKE);
        eq(oracle.epochState(0).setId, setId, "in mid-epoch");
        sealEpoch(0, keccak256("s"), 1);
        slash(1);
        reach(4);
        eq(keccak256(abi.encode(seats.seatsOf(setId))), before, "nor later");
    }

    function test_seat_at__set_of_any_number__found_where_it_was_created() public {
        uint32[11] memory ids = [
            uint32(1), 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, 0x7fff_ffff, type(uint32).max
        ];
        for (uint256 i = 0; i < ids.length; ++i) {
            address blob = vm.computeCreateAddress(address(seats), ids[i]);
            vm.etch(blob, abi.encodePacked(hex"00", seatSigner(i), seatAccount(i)));
            (address account, address signer) = seats.seatAt(ids[i], 0);
            eq(account, seatAccount(i), "account");
            eq(signer, seatSigner(i), "signer");
            (account, signer) = seats.seatAt(ids[i], 1);
            eq(account, address(0), "one seat");
            eq(signer, address(0), "one seat");
        }
    }

    function test_seats_of__set_never_fixed__refused_by_number() public {
        joinSeats(4);
        reach(0);
        unknownSet(0);
        unknownSet(2);
        unknownSet(99);
    }

    function unknownSet(uint32 id) internal {
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_UnknownSet.selector, id));
        seats.seatsOf(id);
    }

    function test_constructor__bounds__named_with_their_value() public {
        badBound(SEAT_STAKE, 1, "idleEpochs", 1, oracle.ringSize());
        badBound(SEAT_STAKE, uint32(oracle.ringSize()) - 2, "idleEpochs", oracle.ringSize() - 2, oracle.ringSize());
        badBound(0, 6, "seatStake", 0, 1);
        this.deployed("ValidatorSet", arguments(1, 2));
        this.deployed("ValidatorSet", arguments(1, uint32(oracle.ringSize()) - 3));
    }

    function badBound(uint128 seatStake, uint32 idle, string memory what, uint256 value, uint256 bound) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_BadBound.selector, what, value, bound)
        );
        this.deployed("ValidatorSet", arguments(seatStake, idle));
    }

    function arguments(uint128 seatStake, uint32 idle) internal view returns (bytes memory) {
        return abi.encode(authority, oracle, stake, fraud, seatStake, idle);
    }
}
