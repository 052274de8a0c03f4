// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title A pause of entry, short and rare
/// @notice The guardian may keep newcomers out for at most 14 days, and then not again for 30. Whoever is in can always
/// go on and leave.
abstract contract PausableEntry is AccessManaged {
    uint40 public constant MAX_PAUSE = 14 days;
    uint40 public constant PAUSE_INTERVAL = 30 days;

    uint40 public pausedUntil;
    uint40 public nextPauseFrom;

    event EntryPaused(uint40 until);
    event EntryResumed();

    error EntryPausedUntil(uint40 until);
    error PauseTooLong(uint40 duration, uint40 longest);
    error PauseTooSoon(uint40 from, uint256 timestamp);

    modifier whenEntryOpen() {
        if (block.timestamp < pausedUntil) revert EntryPausedUntil(pausedUntil);
        _;
    }

    /// @notice Closes entry for `duration` seconds. Guardian only.
    function pauseEntry(uint40 duration) external restricted {
        if (duration == 0 || duration > MAX_PAUSE) revert PauseTooLong(duration, MAX_PAUSE);
        if (block.timestamp < nextPauseFrom) revert PauseTooSoon(nextPauseFrom, block.timestamp);
        pausedUntil = uint40(block.timestamp) + duration;
        nextPauseFrom = pausedUntil + PAUSE_INTERVAL;
        emit EntryPaused(pausedUntil);
    }

    /// @notice Opens entry again before its time. Guardian only; the interval still runs from the planned end.
    function resumeEntry() external restricted {
        pausedUntil = 0;
        emit EntryResumed();
    }
}
