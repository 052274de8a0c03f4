// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IStakeManager} from "contracts/interfaces/IStakeManager.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Vm} from "../base/Vm.sol";
import {SeatCourse} from "../base/SeatCourse.sol";

contract JoinTest is SeatCourse {
    function test_join__before_the_first_epoch__all_make_its_set_in_order() public {
        joinSeats(9);
        stands(8, IValidatorSet.Status.Joining, "waits for the first epoch");
        reach(0);
        IValidatorSet.Seat[] memory list = seats.seatsOf(1);
        eq(list.length, 9, "all at once");
        for (uint256 i = 0; i < 9; ++i) {
            eq(list[i].account, seatAccount(i), "account");
            eq(list[i].signer, seatSigner(i), "signer");
            stands(i, IValidatorSet.Status.Seated, "seated");
        }
    }

    function test_join__after_genesis_but_before_the_first_epoch_opened__sits_in_the_first() public {
        vm.warp(startOf(5) + 1);
        joinSeats(4);
        skipTo(5);
        eq(seatsAt(5), 4, "in the epoch they joined in");
    }

    function test_join__in_an_epoch__sits_two_epochs_later() public {
        joinSeats(4);
        reach(0);
        stakeFor(seatAccount(4), SEAT_STAKE);
        vm.expectEmit();
        emit IValidatorSet.SeatJoined(seatAccount(4), seatSigner(4), 2);
        joinAs(seatAccount(4), 4);
        reach(1);
        eq(seatsAt(1), 4, "notice");
        stands(4, IValidatorSet.Status.Joining, "waits");
        vm.expectEmit();
        emit IValidatorSet.SeatTaken(seatAccount(4), seatSigner(4), 2);
        vm.expectEmit();
        emit IValidatorSet.SetChanged(2, 2, 5);
        reach(2);
        eq(seatsAt(2), 5, "sits");
        stands(4, IValidatorSet.Status.Seated, "seated");
        eq(oracle.epochState(2).setId, 2, "a set of its own");
    }

    function test_join__place_is_free__nobody_is_outbid() public {
        joinSeats(4);
        reach(0);
        stakeFor(seatAccount(4), SEAT_STAKE);
        vm.recordLogs();
        joinAs(seatAccount(4), 4);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            isTrue(logs[i].topics[0] != IValidatorSet.SeatOutbid.selector, "no such event");
        }
        eq(uint256(seats.member(address(0)).status), uint256(IValidatorSet.Status.None), "nobody leaves");
        eq(seats.member(address(0)).leftFrom, 0, "nor will");
    }

    function test_join__any_seat__reserves_the_seat_stake_and_spends_nonce_and_signer() public {
        stakeFor(seatAccount(0), SEAT_STAKE + 5);
        joinAs(seatAccount(0), 0);
        IValidatorSet.Member memory m = seats.member(seatAccount(0));
        eq(m.stake, SEAT_STAKE, "stake");
        isTrue(m.reserved, "reserved");
        eq(free(0), 5, "the rest is free");
        eq(seats.seatNonce(seatAccount(0)), 1, "nonce");
        isTrue(seats.signerUsed(seatSigner(0)), "signer");
    }

    function test_join__less_free_stake_than_a_seat_takes__refused() public {
        stakeFor(seatAccount(0), SEAT_STAKE - 1);
        joinFails(
            seatAccount(0),
            0,
            abi.encodeWithSelector(
                IStakeManager.StakeManager_InsufficientStake.selector, seatAccount(0), SEAT_STAKE - 1, SEAT_STAKE
            )
        );
    }

    function test_join__zero_signer__refused() public {
        stakeFor(seatAccount(0), SEAT_STAKE);
        vm.prank(seatAccount(0));
        vm.expectRevert(abi.encodeWithSelector(IValidatorSet.ValidatorSet_ZeroAddress.selector));
        seats.join(address(0), "", 0, new bytes(64));
    }

    function test_join__account_with_a_seat__refused() public {
        joinSeats(4);
        stakeFor(seatAccount(2), SEAT_STAKE);
        joinFails(seatAccount(2), 9, seated(2));
        reach(0);
        joinFails(seatAccount(2), 9, seated(2));
    }

    function test_join__account_that_left_and_whose_stake_is_held__refused() public {
        joinSeats(4);
        reach(0);
        leave(2);
        joinFails(seatAccount(2), 9, seated(2));
        reach(2);
        stands(2, IValidatorSet.Status.Left, "left");
        joinFails(seatAccount(2), 9, seated(2));
    }

    function test_join__signer_of_another_seat__refused() public {
        joinSeats(4);
        stakeFor(seatAccount(9), SEAT_STAKE);
        joinFails(seatAccount(9), 2, used(2));
    }

    function test_join__signer_of_a_seat_that_left_for_good__refused_for_ever() public {
        joinSeats(4);
        reach(0);
        leave(1);
        reach(2);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(1));
        joinFails(seatAccount(1), 1, used(1));
        stakeFor(seatAccount(9), SEAT_STAKE);
        joinFails(seatAccount(9), 1, used(1));
    }

    function test_join__signed_for_another_account__refused() public {
        stakeFor(seatAccount(9), SEAT_STAKE);
        bytes memory signature = seatSignature(9, seatAccount(8));
        vm.prank(seatAccount(9));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_BadSignature.selector);
        seats.join(seatSigner(9), "", 0, signature);
    }

    function test_join__signature_of_a_nonce_spent__refused() public {
        stakeFor(seatAccount(9), SEAT_STAKE);
        bytes memory early = seatSignature(8, seatAccount(9));
        joinAs(seatAccount(9), 9);
        leave(9);
        vm.prank(seatAccount(9));
        vm.expectPartialRevert(IValidatorSet.ValidatorSet_BadSignature.selector);
        seats.join(seatSigner(8), "", 0, early);
    }

    function test_join__signature_of_no_form__recovers_nobody() public {
        stakeFor(seatAccount(9), SEAT_STAKE);
        bytes[3] memory bad = [bytes(""), new bytes(64), new bytes(66)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(seatAccount(9));
            vm.expectRevert(
                abi.encodeWithSelector(IValidatorSet.ValidatorSet_BadSignature.selector, seatSigner(9), address(0))
            );
            seats.join(seatSigner(9), "", 0, bad[i]);
        }
    }

    function test_join__signature_of_65_bytes__accepted() public {
        stakeFor(seatAccount(9), SEAT_STAKE);
        bytes memory encoded = abi.encode(SEAT_TYPE, seatAccount(9), seatSigner(9), uint64(0));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SEAT_KEY + 9, digestIn(address(seats), encoded));
        vm.prank(seatAccount(9));
        seats.join(seatSigner(9), "", 0, abi.encodePacked(r, s, v));
        isTrue(planned(9), "joined");
    }

    function test_join__after_coming_and_going__begins_anew() public {
        joinSeats(4);
        uint64 e = stop();
        checkIn(3, e);
        leave(3);
        reach(2);
        vm.warp(startOf(2) + PROOF_WINDOW + 1 days);
        seats.releaseStake(seatAccount(3));
        joinAs(seatAccount(3), 9);
        IValidatorSet.Member memory m = seats.member(seatAccount(3));
        eq(m.leftFrom, 0, "not left");
        eq(m.signer, seatSigner(9), "its new key");
        eq(uint256(m.checkedIn) + m.checkIns, 0, "no check-in of the last tenure");
        isTrue(m.reserved, "with stake");
    }

    function test_join__entry_paused__refused_to_the_second() public {
        vm.prank(GUARDIAN);
        seats.pauseEntry(100);
        uint256 over = block.timestamp + 100;
        stakeFor(seatAccount(0), SEAT_STAKE);
        vm.warp(over - 1);
        joinFails(seatAccount(0), 0, abi.encodeWithSignature("EntryPausedUntil(uint40)", over));
        vm.warp(over);
        joinAs(seatAccount(0), 0);
    }

    function test_join__entry_paused__whoever_sits_leaves_all_the_same() public {
        joinSeats(5);
        reach(0);
        vm.prank(GUARDIAN);
        seats.pauseEntry(1 days);
        leave(0);
        eq(seats.plannedSeats().length, 4, "left");
    }

    function test_join__endpoint__announced_and_not_too_long() public {
        bytes memory longest = new bytes(256);
        for (uint256 i = 0; i < 256; ++i) longest[i] = "x";
        stakeFor(seatAccount(0), SEAT_STAKE);
        bytes memory signature = seatSignature(0, seatAccount(0));
        vm.prank(seatAccount(0));
        vm.expectRevert(
            abi.encodeWithSelector(IValidatorSet.ValidatorSet_EndpointTooLong.selector, uint256(257), uint256(256))
        );
        seats.join(seatSigner(0), string(bytes.concat(longest, "x")), 0, signature);
        vm.expectEmit();
        emit IValidatorSet.SeatEndpoint(seatAccount(0), string(longest), keccak256("tls"));
        vm.prank(seatAccount(0));
        seats.join(seatSigner(0), string(longest), keccak256("tls"), signature);
    }

    function seated(uint256 i) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_AlreadySeated.selector, seatAccount(i));
    }

    function used(uint256 k) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IValidatorSet.ValidatorSet_SignerUsed.selector, seatSigner(k));
    }
}
