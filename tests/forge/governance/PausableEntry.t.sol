// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Epochs} from "../base/Epochs.sol";

interface Pauses {
    function pauseEntry(uint40 duration) external;
    function resumeEntry() external;
    function pausedUntil() external view returns (uint40);
    function nextPauseFrom() external view returns (uint40);
}

contract PausableEntryTest is Epochs {
    event EntryPaused(uint40 until);
    event EntryResumed();

    Pauses internal entry;

    function setUp() public {
        deployNetwork();
        entry = Pauses(address(seats));
    }

    function pause(uint40 duration) internal {
        vm.prank(GUARDIAN);
        entry.pauseEntry(duration);
    }

    function pauseFails(uint40 duration, bytes memory why) internal {
        vm.prank(GUARDIAN);
        vm.expectRevert(why);
        entry.pauseEntry(duration);
    }

    function tooLong(uint40 duration) internal pure returns (bytes memory) {
        return abi.encodeWithSignature("PauseTooLong(uint40,uint40)", duration, uint40(14 days));
    }

    function test_pause_entry__no_time_or_more_than_fourteen_days__refused() public {
        pauseFails(0, tooLong(0));
        pauseFails(14 days + 1, tooLong(14 days + 1));
        pauseFails(type(uint40).max, tooLong(type(uint40).max));
    }

    function test_pause_entry__fourteen_days__and_not_again_for_thirty() public {
        uint40 until = uint40(block.timestamp) + 14 days;
        vm.expectEmit();
        emit EntryPaused(until);
        pause(14 days);
        eq(entry.pausedUntil(), until, "until");
        eq(entry.nextPauseFrom(), until + 30 days, "next");
        vm.warp(until + 30 days - 1);
        pauseFails(
            1, abi.encodeWithSignature("PauseTooSoon(uint40,uint256)", until + 30 days, block.timestamp)
        );
        vm.warp(until + 30 days);
        pause(1);
    }

    function test_resume_entry__before_its_time__open_at_once_and_the_interval_runs_on() public {
        pause(1 days);
        uint40 next = entry.nextPauseFrom();
        vm.expectEmit();
        emit EntryResumed();
        vm.prank(GUARDIAN);
        entry.resumeEntry();
        eq(entry.pausedUntil(), 0, "open");
        eq(entry.nextPauseFrom(), next, "from the planned end");
        join(0, SEAT_STAKE);
        pauseFails(1, abi.encodeWithSignature("PauseTooSoon(uint40,uint256)", next, block.timestamp));
    }
}
