"""Tells the pods of one renter on a host of each other: `pod-NUMBER` by name, in the file of names that each has."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import structlog

MAX_BYTES = 1 << 16

log = structlog.get_logger()


def name_of(lease_id: int) -> str:
    """What a pod is called in its own network."""
    return f"pod-{lease_id}"


def with_neighbours(text: str, others: Mapping[int, str], network: str) -> str:
    """A file of names with these pods' addresses, by lease, in place of those of `network` that it had. Whatever else
    the renter has written there stays."""
    ours = re.compile(rf"{re.escape(network)}\S*[ \t]+pod-[0-9]+\s*")
    kept = [line for line in text.splitlines() if not ours.fullmatch(line)]
    return "\n".join([*kept, *(f"{address} {name_of(one)}" for one, address in sorted(others.items()))]) + "\n"


def introduce(pods: Mapping[int, tuple[Path, str]], network: str) -> None:
    """Writes each pod's file (its path on this host, and the pod's address) anew where it is to say something else."""
    addresses = {lease_id: address for lease_id, (_, address) in pods.items()}
    for lease_id, (file, _) in pods.items():
        others = {one: address for one, address in addresses.items() if one != lease_id}
        try:
            _rewrite(file, others, network)
        except OSError as error:
            log.warning("a pod was not told of its neighbours", lease=lease_id, reason=str(error))


def _rewrite(file: Path, others: Mapping[int, str], network: str) -> None:
    # In place: the pod has this very file mounted. Its root may write it too, and cannot make a link of it.
    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    try:
        before = os.read(handle, MAX_BYTES + 1)
        after = with_neighbours(before.decode("utf-8", "surrogateescape"), others, network)
        changed = after.encode("utf-8", "surrogateescape")
        if len(before) > MAX_BYTES or changed == before:
            return
        os.pwrite(handle, changed, 0)
        os.ftruncate(handle, len(changed))
    finally:
        os.close(handle)
