"""Flags of a device in observations and reports."""

from __future__ import annotations

from enum import IntFlag


class Flag(IntFlag):
    """Bits of `flags`, 16 wide. A device is leased out against a report only where the value is exactly 1."""

    NONE = 0
    PASSED = 1
    LEASED = 2  # neither passed nor scored
    LATE = 4
    BAD_OPENING = 8
    UNREACHABLE = 16
    NO_OPENING = 32
    UNSCORED = 64
    # In observations only, of the memory probe; a report has `memoryMiB` instead.
    MEMORY = 128  # its lanes are right
    PROMPT = 256  # and came in time, by this seat's own clock
