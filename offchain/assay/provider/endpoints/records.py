"""Endpoints as they are kept beside a pod, and those that the provider has shut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from assay.provider.endpoints.port_rules import front_name, port_name
from assay.provider.errors import ProviderError
from assay.provider.pods.processes.keeper import write_whole
from assay.wire.pods import MAX_SHUT_REASON, EndpointLogin

EndpointKind = Literal["tcp", "udp", "https"]
KINDS: tuple[EndpointKind, ...] = ("tcp", "udp", "https")


@dataclass(frozen=True)
class EndpointRecord:
    """A port of a pod and the public one that leads to it; `opened_at` in seconds since 1970. With HTTPS the `name`
    that leads to it, the address by which the ingress calls it, the account that it was opened for, and the login."""

    protocol: EndpointKind
    port: int
    public: int
    opened_at: int
    name: str = ""
    front: str = ""
    owner: str = ""
    login: EndpointLogin | None = None

    @property
    def key(self) -> int | str:
        """What tells it from the lease's others, but for those of UDP and TCP at one port."""
        return self.name or self.public

    @property
    def counted_as(self) -> str:
        """By which the kernel counts what goes through."""
        return front_name(self.front) if self.front else port_name(self.protocol, self.public)


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
    if found := [_kept(one) for one in records]:
        write_whole(path, json.dumps(found))
    else:
        path.unlink(missing_ok=True)


def _kept(one: EndpointRecord) -> dict[str, Any]:
    login = None if one.login is None else one.login.to_json()
    return {**{name: value for name, value in vars(one).items() if value}, "login": login}


def _record(found: Mapping[str, Any]) -> EndpointRecord:
    login = found.get("login")
    return EndpointRecord(
        KINDS[KINDS.index(found["protocol"])],
        int(found["port"]),
        int(found["public"]),
        int(found["opened_at"]),
        str(found.get("name", "")),
        str(found.get("front", "")),
        str(found.get("owner", "")),
        None if login is None else EndpointLogin.model_validate(login),
    )


@dataclass(frozen=True)
class Shut:
    """Why endpoints are shut: by lease all of it, by lease and public port or name one."""

    leases: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)

    def reason(self, lease_id: int, public: int | str | None = None) -> str | None:
        """Why this one is, None where it is not; without a port or a name of the whole lease."""
        return self.leases.get(str(lease_id)) or self.ports.get(f"{lease_id}:{public}")

    def with_shut(self, lease_id: int, public: int | str | None, reason: str) -> Shut:
        """The same with one more."""
        if public is None:
            return Shut({**self.leases, str(lease_id): reason}, self.ports)
        return Shut(self.leases, {**self.ports, f"{lease_id}:{public}": reason})

    def with_open(self, lease_id: int, public: int | str | None) -> Shut:
        """The same with one fewer; without a port or a name all of a lease are open again."""
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
