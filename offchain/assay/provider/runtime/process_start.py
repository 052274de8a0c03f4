"""Tells a process from a later one that was given its number.

Imports the standard library only, for the small programs that stay beside a job or a pod.
"""

from pathlib import Path

ENDED = ("Z", "X")


def state_and_start(pid: int) -> tuple[str, int] | None:
    """The process's state as a letter and when it started, in clock ticks since boot; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return state, int(rest[18])


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot; -1 where it has ended, waited for or not."""
    found = state_and_start(pid)
    return -1 if found is None or found[0] in ENDED else found[1]
