"""Endpoints as they are kept beside a pod, and those that the provider has shut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.provider.endpoints.port_rules import PROTOCOLS, Protocol
from assay.provider.errors import ProviderError
from assay.provider.pods.processes.keeper import write_whole
from assay.wire.pods import MAX_SHUT_REASON


@dataclass(frozen=True)
class EndpointRecord:
    """A port of a pod and the public one that leads to it; `opened_at` in seconds since 1970."""

    protocol: Protocol
    port: int
    public: int
    opened_at: int


def read_records(path: Path) -> list[EndpointRecord]:
    """What is kept in a file, nothing where there is none. Raises ProviderError for a damaged one."""
    try:
        return [_record(one) for one in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"what is kept of endpoints is damaged: {path.name} ({error})") from error


def write_records(path: Path, records: Iterable[EndpointRecord]) -> None:
    """Keeps them, whole or not at all. Raises OSError."""
    if found := [asdict(one) for one in records]:
        write_whole(path, json.dumps(found))
    else:
        path.unlink(missing_ok=True)


def _record(found: Mapping[str, Any]) -> EndpointRecord:
    protocol = PROTOCOLS[PROTOCOLS.index(found["protocol"])]
    return EndpointRecord(protocol, int(found["port"]), int(found["public"]), int(found["opened_at"]))


@dataclass(frozen=True)
class Shut:
    """Why endpoints are shut: by lease all of it, by lease and public port one."""

    leases: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)

    def reason(self, lease_id: int, public: int | None = None) -> str | None:
        """Why this one is, None where it is not; without a port of the whole lease."""
        return self.leases.get(str(lease_id)) or self.ports.get(f"{lease_id}:{public}")

    def with_shut(self, lease_id: int, public: int | None, reason: str) -> Shut:
        """The same with one more."""
        if public is None:
            return Shut({**self.leases, str(lease_id): reason}, self.ports)
        return Shut(self.leases, {**self.ports, f"{lease_id}:{public}": reason})

    def with_open(self, lease_id: int, public: int | None) -> Shut:
        """The same with one fewer; without a port all of a lease are open again."""
        if public is not None:
            return Shut(self.leases, {key: why for key, why in self.ports.items() if key != f"{lease_id}:{public}"})
        leases = {key: why for key, why in self.leases.items() if key != str(lease_id)}
        return Shut(leases, {key: why for key, why in self.ports.items() if not key.startswith(f"{lease_id}:")})


class ShutFile:
    """What the provider has shut, as JSON that the running daemon reads again and again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "shut-endpoints.json"

    def read(self) -> Shut:
        """Nothing where there is no file. Raises ProviderError for a damaged one."""
        try:
            found = json.loads(self.path.read_text())
            return Shut(_texts(found["leases"]), _texts(found["ports"]))
        except FileNotFoundError:
            return Shut()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderError(f"{self.path}: damaged ({error}); move it away and shut endpoints anew") from error

    def write(self, shut: Shut) -> None:
        """Raises OSError."""
        write_whole(self.path, json.dumps(asdict(shut)))


def _texts(found: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(why)[:MAX_SHUT_REASON] for key, why in found.items()}
