"""Tells the pods of one renter of each other, in the file of names that each has: `pod-NUMBER` those of one host,
`node-RANK` those of a cluster."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

MAX_BYTES = 1 << 16

log = structlog.get_logger()


def name_of(lease_id: int) -> str:
    """What a pod is called in its own network."""
    return f"pod-{lease_id}"


def with_neighbours(
    text: str, others: Mapping[int, str], networks: Sequence[str], nodes: Mapping[str, str] | None = None
) -> str:
    """A file of names with these pods' addresses, by lease, and those of `nodes`, by name, in place of those of
    `networks` that it had. Whatever else the renter has written there stays."""
    begin = "|".join(map(re.escape, networks))
    ours = re.compile(rf"(?:{begin})\S*[ \t]+(?:pod|node)-[0-9]+\s*")
    kept = [line for line in text.splitlines() if not ours.fullmatch(line)]
    said = {name_of(one): address for one, address in sorted(others.items())} | dict(nodes or {})
    return "\n".join([*kept, *(f"{address} {name}" for name, address in said.items())]) + "\n"


def introduce(
    pods: Mapping[int, tuple[Path, str]], networks: Sequence[str], nodes: Mapping[int, Mapping[str, str]]
) -> None:
    """Writes each pod's file (its path on this host, and the pod's address) anew where it is to say something else.
    `nodes` are the names of each one's cluster."""
    addresses = {lease_id: address for lease_id, (_, address) in pods.items()}
    for lease_id, (file, _) in pods.items():
        others = {one: address for one, address in addresses.items() if one != lease_id}
        try:
            _rewrite(file, others, networks, nodes.get(lease_id, {}))
        except OSError as error:
            log.warning("a pod was not told of its neighbours", lease=lease_id, reason=str(error))


def _rewrite(file: Path, others: Mapping[int, str], networks: Sequence[str], nodes: Mapping[str, str]) -> None:
    # In place: the pod has this very file mounted. Its root may write it too, and cannot make a link of it.
    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    try:
        before = os.read(handle, MAX_BYTES + 1)
        after = with_neighbours(before.decode("utf-8", "surrogateescape"), others, networks, nodes)
        changed = after.encode("utf-8", "surrogateescape")
        if len(before) > MAX_BYTES or changed == before:
            return
        os.pwrite(handle, changed, 0)
        os.ftruncate(handle, len(changed))
    finally:
        os.close(handle)
