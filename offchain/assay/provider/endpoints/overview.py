"""All endpoints of a daemon's folder, whether or not it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.provider.endpoints.port_rules import PortLimits, PortTraffic
from assay.provider.endpoints.port_table import PortTable
from assay.provider.endpoints.records import EndpointRecord, Shut, ShutFile, read_records
from assay.provider.pods.layout import PodFolders, agent_name
from assay.provider.pods.processes.keeper import deadline_of


@dataclass(frozen=True)
class OpenedEndpoint:
    """One endpoint; `shut` is why the provider has shut it, `until` when its lease ends."""

    lease_id: int
    record: EndpointRecord
    passed: PortTraffic
    shut: str | None
    until: float


def overview(data_dir: Path, clock: Callable[[], float]) -> tuple[list[OpenedEndpoint], Shut]:
    """By lease and port, with what has gone through as the kernel counts it; and all that is shut. Raises
    ProviderError."""
    shut, now, found = ShutFile(data_dir).read(), clock(), list[OpenedEndpoint]()
    there = PortTable(agent_name(data_dir), "", PortLimits()).there(now)
    for folder in sorted((data_dir / "leases").glob("[0-9]*"), key=lambda one: int(one.name)):
        folders, lease_id = PodFolders(folder, folder), int(folder.name)
        if (until := deadline_of(folders)) <= now:
            continue
        for one in sorted(read_records(folders.endpoints), key=lambda record: (record.public, record.name)):
            passed = there.passed.get(one.counted_as, PortTraffic())
            found.append(OpenedEndpoint(lease_id, one, passed, shut.reason(lease_id, one.key), until))
    return found, shut
