// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Epochs} from "../base/Epochs.sol";
import {Seats as ISeats} from "../base/Extras.sol";

/// @title Threats on the quorum: how fast a set changes, and where it is kept
contract SetChangeThreats is Epochs {
    uint64 internal next;

    function setUp() public {
        deployNetwork();
    }

    function reach(uint64 epoch) internal {
        for (; next <= epoch; ++next) openEpoch(next);
    }

    function seatsAt(uint64 epoch) internal view returns (uint256) {
        return oracle.epochState(epoch).seats;
    }

    function leave(uint256 i) internal {
        vm.prank(seatAccount(i));
        seats.leave();
    }

    /// @dev Three newcomers at once; when the first three sets after the notice have how many.
    function grows(uint256 from, uint256 second, uint256 third) internal {
        uint256 state = vm.snapshotState();
        joinSeats(from);
        reach(0);
        for (uint256 i = 0; i < 3; ++i) join(from + i, SEAT_STAKE);
        reach(3);
        eq(seatsAt(1), from, "notice");
        eq(seatsAt(2), second, "first epoch of change");
        eq(seatsAt(3), third, "second epoch of change");
        vm.revertToState(state);
        next = 0;
    }

    function test_seats_all_taken_by_one__at_most_half_of_f_an_epoch() public {
        grows(4, 5, 6);
        grows(10, 11, 12);
        grows(12, 13, 15);
        grows(13, 15, 16);
        grows(17, 19, 20);
        grows(19, 22, 22);
    }

    function test_a_queue_of_changes__is_bounded_for_newcomers_and_open_to_whoever_leaves() public {
        joinSeats(4);
        reach(0);
        for (uint256 i = 10; i < 41; ++i) {
            join(i, SEAT_STAKE);
            if (i < 40) leave(i);
        }
        leave(40);
        stakeFor(seatAccount(50), SEAT_STAKE);
        bytes memory signature = seatSignature(50, seatAccount(50));
        vm.prank(seatAccount(50));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_TooManyChanges.selector);
        seats.join(seatSigner(50), "", 0, signature);
        leave(3);
        reach(3);
        vm.prank(seatAccount(50));
        seats.join(seatSigner(50), "", 0, signature);
    }

    function test_current_seats__follow_the_first_seat_leaving_and_the_last() public {
        joinSeats(13);
        reach(0);
        leave(0);
        leave(12);
        vm.warp(startOf(3));
        IValidatorSet.Seat[] memory list = seats.currentSeats();
        reach(3);
        IValidatorSet.Seat[] memory fixed_ = seats.seatsOf(oracle.epochState(3).setId);
        eq(list.length, fixed_.length, "as many");
        for (uint256 i = 0; i < list.length; ++i) {
            eq(list[i].account, fixed_[i].account, "account");
            eq(list[i].signer, fixed_[i].signer, "signer");
            isTrue(list[i].account != seatAccount(0) && list[i].account != seatAccount(12), "gone");
        }
    }

    function test_a_set_of_any_number__is_found_where_it_was_created() public {
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

    function test_a_seat_that_checked_in_long_ago_and_signs__is_not_evicted() public {
        joinSeats(4);
        reach(2);
        vm.prank(seatAccount(0));
        seats.checkIn();
        reach(4);
        sealEpoch(4, 0, 0);
        next = 5;
        reach(2 + 1 + IDLE_EPOCHS + 1);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
        seats.evict(seatAccount(0));
        reach(4 + IDLE_EPOCHS + 1);
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
        seats.evict(seatAccount(0));
        reach(4 + IDLE_EPOCHS + 2);
        seats.evict(seatAccount(0));
    }

    function test_a_check_in__counts_for_as_long_as_a_signature() public {
        joinSeats(4);
        for (uint64 e = 0; e < 3; ++e) {
            reach(e);
            sealEpoch(e, 0, 0);
        }
        reach(4);
        vm.prank(seatAccount(3));
        seats.checkIn();
        for (uint64 e = 5; e <= 4 + IDLE_EPOCHS + 1; ++e) {
            reach(e);
            sealEpoch(e, 0, 0);
            vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotIdle.selector);
            seats.evict(seatAccount(3));
        }
        reach(4 + IDLE_EPOCHS + 2);
        seats.evict(seatAccount(3));
    }

    function test_an_endpoint__is_announced_and_not_too_long() public {
        bytes memory long = new bytes(256);
        stakeFor(seatAccount(0), SEAT_STAKE);
        bytes memory signature = seatSignature(0, seatAccount(0));
        vm.prank(seatAccount(0));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_EndpointTooLong.selector);
        seats.join(seatSigner(0), string(bytes.concat(long, "x")), 0, signature);
        vm.expectEmit();
        emit IValidatorSet.SeatEndpoint(seatAccount(0), string(long), keccak256("tls"));
        vm.prank(seatAccount(0));
        seats.join(seatSigner(0), string(long), keccak256("tls"), signature);
        vm.expectEmit();
        emit IValidatorSet.SeatEndpoint(seatAccount(0), "https://moved", keccak256("tls2"));
        vm.prank(seatAccount(0));
        seats.setEndpoint("https://moved", keccak256("tls2"));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_NotSeated.selector);
        seats.setEndpoint("https://stranger", 0);
    }

    function test_a_pause__ends_on_its_second() public {
        vm.prank(GUARDIAN);
        ISeats(address(seats)).pauseEntry(100);
        stakeFor(seatAccount(0), SEAT_STAKE);
        bytes memory signature = seatSignature(0, seatAccount(0));
        uint256 over = block.timestamp + 100;
        vm.warp(over - 1);
        vm.prank(seatAccount(0));
        vm.expectRevert();
        seats.join(seatSigner(0), "", 0, signature);
        vm.warp(over);
        vm.prank(seatAccount(0));
        seats.join(seatSigner(0), "", 0, signature);
    }
}
