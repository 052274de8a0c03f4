// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title A pause of entry, short and rare
/// @notice The guardian may keep newcomers out for at most 14 days, and then not again for 30. Whoever is in can always
/// go on and leave.
abstract contract PausableEntry is AccessManaged {
    /// @notice The longest that entry can be closed, in seconds.
    uint40 public constant MAX_PAUSE = 14 days;
    /// @notice Seconds from the planned end of a pause to the earliest start of the next.
    uint40 public constant PAUSE_INTERVAL = 30 days;

    /// @notice Second at which entry opens again; in the past while it is open.
    uint40 public pausedUntil;
    /// @notice Second from which on entry may be closed again.
    uint40 public nextPauseFrom;

    /// @notice Entry was closed.
    /// @param until Second at which it opens again.
    event EntryPaused(uint40 until);

    /// @notice Entry was opened before its time.
    event EntryResumed();

    /// @notice Entry is closed.
    /// @param until Second at which it opens again.
    error EntryPausedUntil(uint40 until);

    /// @notice A pause of no time, or of too much.
    /// @param duration Seconds asked for.
    /// @param longest The most that can be asked for.
    error PauseTooLong(uint40 duration, uint40 longest);

    /// @notice The last pause is not long enough ago.
    /// @param from Second from which on entry may be closed again.
    /// @param timestamp Second of the call.
    error PauseTooSoon(uint40 from, uint256 timestamp);

    modifier whenEntryOpen() {
        if (block.timestamp < pausedUntil) revert EntryPausedUntil(pausedUntil);
        _;
    }

    /// @notice Closes entry. Guardian only.
    /// @param duration Seconds from now on.
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
