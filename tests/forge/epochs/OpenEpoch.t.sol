// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IEpochOracle} from "contracts/interfaces/IEpochOracle.sol";
import {IValidatorSet} from "contracts/interfaces/IValidatorSet.sol";

import {Steps} from "./Steps.sol";

contract OpenEpochTest is Steps {
    function test_open_epoch__before_its_start__too_early() public {
        vm.warp(startOf(1) - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IEpochOracle.EpochOracle_TooEarly.selector, uint64(1), startOf(1), block.timestamp
            )
        );
        oracle.openEpoch(1);
    }

    function test_open_epoch__after_its_time__too_late() public {
        vm.warp(startOf(1) + OPEN_BY + 1);
        vm.expectRevert(tooLate(1, startOf(1) + OPEN_BY));
        oracle.openEpoch(1);
    }

    function test_open_epoch__first_and_last_second__opened() public {
        vm.warp(startOf(1) + OPEN_BY);
        oracle.openEpoch(1);
        vm.warp(startOf(2));
        oracle.openEpoch(2);
        IEpochOracle.EpochState memory s = oracle.epochState(2);
        eq(s.openedAt, startOf(2), "opened at");
        eq(uint256(s.phase), uint256(IEpochOracle.Phase.Open), "open");
    }

    function test_open_epoch__twice__wrong_phase() public {
        openEpoch(0);
        vm.expectRevert(wrongPhase(0, IEpochOracle.Phase.Open));
        oracle.openEpoch(0);
    }

    function test_open_epoch__nobody_seated__refused() public {
        for (uint256 i = 0; i < 7; ++i) {
            vm.prank(seatAccount(i));
            seats.leave();
        }
        vm.warp(startOf(0) + 1);
        vm.expectRevert(abi.encodeWithSelector(IEpochOracle.EpochOracle_NoSeats.selector, uint64(0)));
        oracle.openEpoch(0);
    }

    function test_open_epoch__prevrandao_and_blockhash__beacon_and_seed_as_specified() public {
        vm.warp(startOf(0) + 1);
        vm.prevrandao(keccak256("randao"));
        bytes32 beacon = keccak256(
            abi.encodePacked(keccak256("randao"), blockhash(block.number - 1), uint256(0), bytes32(0))
        );
        bytes32 seed = keccak256(
            abi.encodePacked("assay.B", block.chainid, uint256(uint160(address(oracle))), uint256(0), beacon)
        );
        vm.expectEmit();
        emit IEpochOracle.EpochOpened(0, 1, beacon, seed);
        eq(oracle.openEpoch(0), beacon, "beacon");
        eq(oracle.epochSeed(0), seed, "seed");
    }

    function test_open_epoch__after_a_report__beacon_takes_its_root_in() public {
        reachDrawn(0);
        postReport(plainReport(0));
        openEpoch(1);
        reachDrawn(2);
        IEpochOracle.Report memory r = plainReport(2);
        r.devicesRoot = keccak256("devices of 2");
        postReport(r);
        vm.warp(startOf(3) + 1);
        bytes32 beacon = keccak256(
            abi.encodePacked(bytes32(block.prevrandao), blockhash(block.number - 1), uint256(3), r.devicesRoot)
        );
        eq(oracle.openEpoch(3), beacon, "the last report's root");
    }

    function test_open_epoch__others_skipped__holds_up_nothing() public {
        reachDrawn(0);
        postReport(plainReport(0));
        reachDrawn(3);
        postReport(plainReport(3));
        eq(uint256(oracle.epochState(1).phase), uint256(IEpochOracle.Phase.None), "skipped");
        eq(uint256(oracle.epochState(3).phase), uint256(IEpochOracle.Phase.Reported), "reported");
        (, uint64 last,) = oracle.lastReport();
        eq(last, 3, "last report");
    }

    function test_open_epoch__no_change_waits__set_is_not_asked_for() public {
        openEpoch(0);
        vm.mockCallRevert(address(seats), abi.encodeWithSelector(IValidatorSet.snapshot.selector), "asked");
        openEpoch(1);
        eq(oracle.epochState(1).seats, 7, "as before");
        eq(oracle.epochState(1).setId, 1, "as before");
    }

    function test_open_epoch__changes_wait__asked_until_none_does() public {
        openEpoch(0);
        for (uint256 i = 20; i < 22; ++i) join(i, SEAT_STAKE);
        for (uint64 e = 1; e < 4; ++e) openEpoch(e);
        eq(oracle.epochState(3).seats, 9, "two came");
        vm.mockCallRevert(address(seats), abi.encodeWithSelector(IValidatorSet.snapshot.selector), "asked");
        openEpoch(4);
        eq(oracle.epochState(4).setId, 3, "the third set");
    }

    /// @dev A set's number that does not fit beside the rest of the history is asked for at each opening.
    function test_open_epoch__set_of_a_very_high_number__epoch_has_it() public {
        openEpoch(0);
        uint32 high = uint32(type(uint24).max) + 1;
        vm.mockCall(
            address(seats), abi.encodeWithSelector(IValidatorSet.snapshot.selector), abi.encode(high, uint8(7), false)
        );
        vm.prank(address(seats));
        oracle.noteSetChange();
        openEpoch(1);
        eq(oracle.epochState(1).setId, high, "the number");
        vm.mockCall(
            address(seats),
            abi.encodeWithSelector(IValidatorSet.snapshot.selector),
            abi.encode(uint32(type(uint24).max), uint8(7), false)
        );
        openEpoch(2);
        vm.mockCallRevert(address(seats), abi.encodeWithSelector(IValidatorSet.snapshot.selector), "asked");
        openEpoch(3);
        eq(oracle.epochState(3).setId, type(uint24).max, "the highest that is remembered");
    }

    function test_note_set_change__anybody_but_the_set__refused() public {
        vm.expectRevert(
            abi.encodeWithSelector(IEpochOracle.EpochOracle_NotValidatorSet.selector, address(this))
        );
        oracle.noteSetChange();
    }
}
