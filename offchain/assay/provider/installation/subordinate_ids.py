"""User numbers that pods are given, from /etc/subuid and /etc/subgid: each pod has a range that nobody else has."""

from __future__ import annotations

from pathlib import Path

POD_IDS = 65_536  # numbers of one pod
POD_USER = "containers"  # whose ranges Podman takes them from, where it runs as root
FIRST = 2_147_483_648  # beyond what accounts and other tools use


def ranges(text: str) -> list[tuple[str, int, int]]:
    """(user, first, count) of each line that is one."""
    found = []
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
            found.append((parts[0], int(parts[1]), int(parts[2])))
    return found


def free_ranges(path: Path) -> int:
    """How many pods a file has numbers for, 0 where there is no file or no line."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return 0
    return sum(count for user, _, count in ranges(text) if user == POD_USER) // POD_IDS


def with_pods(text: str, pods: int) -> str:
    """The file with numbers for so many pods, unchanged where it has them. A new range begins beyond all others."""
    have = sum(count for user, _, count in ranges(text) if user == POD_USER) // POD_IDS
    if have >= pods:
        return text
    first = max([FIRST, *(start + count for _, start, count in ranges(text))])
    lines = text if not text or text.endswith("\n") else text + "\n"
    return f"{lines}{POD_USER}:{first}:{(pods - have) * POD_IDS}\n"
