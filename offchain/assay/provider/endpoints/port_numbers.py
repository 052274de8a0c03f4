"""Which lease has which public port of this host: kept on disk, so that two daemons of one host agree, and bound, so
that no program of the host takes one meanwhile.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from assay.network.port_range import PortRange
from assay.provider.endpoints.port_rules import Protocol
from assay.provider.endpoints.records import read_records
from assay.provider.errors import Conflict, Unavailable
from assay.provider.pods.layout import PodFolders
from assay.provider.runtime.file_lock import locked


class PortNumbers:
    """Hands out the ports of a range. `shuffle` puts them in an order that nobody can count on: who calls a port that
    was another's before should be as rare as can be."""

    def __init__(
        self,
        ports: PortRange,
        shuffle: Callable[[Sequence[int]], list[int]],
        folder: Path = Path("/var/lib/assay/ports"),
    ) -> None:
        self.ports = ports
        self._shuffle = shuffle
        self._folder = folder
        self._held: dict[tuple[Protocol, int], socket.socket] = {}

    def take(self, protocol: Protocol, lease_folder: Path, wanted: int | None) -> int:
        """A free port, or the one that is wanted. Raises Conflict for one that is taken or out of range, Unavailable
        where none is left."""
        if wanted is not None and wanted not in self.ports:
            raise Conflict(f"port {wanted} is not of this provider's public ports, {self.ports}")
        with self._alone():
            for port in [wanted] if wanted is not None else self._shuffle(list(self.ports)):
                if self._holder(protocol, port) is None and self.hold(protocol, port):
                    partial = self._folder / ".partial"
                    partial.write_text(str(lease_folder))
                    partial.replace(self._file(protocol, port))
                    return port
        if wanted is not None:
            raise Conflict(f"{protocol} port {wanted} of this provider is taken: try another, or none")
        raise Unavailable(f"all of this provider's public ports, {self.ports}, are taken: try again later")

    def free(self, protocol: Protocol, port: int, lease_folder: Path) -> None:
        """Lets a lease's port go."""
        with self._alone():
            if self._holder(protocol, port) in (lease_folder, None):
                self._file(protocol, port).unlink(missing_ok=True)
            self.let_go(protocol, port)

    def hold(self, protocol: Protocol, port: int) -> bool:
        """Binds a port, so that nothing else of this host does; False where something has it."""
        if (protocol, port) in self._held:
            return True
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        made = socket.socket(socket.AF_INET, kind)
        try:
            made.bind(("0.0.0.0", port))  # noqa: S104 - of all addresses of this host, and never to listen
        except OSError:
            made.close()
            return False
        self._held[protocol, port] = made
        return True

    def let_go(self, protocol: Protocol, port: int) -> None:
        """Binds it no longer."""
        if (made := self._held.pop((protocol, port), None)) is not None:
            made.close()

    def keep(self, known: Collection[tuple[Protocol, int]]) -> None:
        """Binds none but these any longer."""
        for protocol, port in set(self._held) - set(known):
            self.let_go(protocol, port)

    def close(self) -> None:
        """Binds none any longer; whose they are stays."""
        for protocol, port in list(self._held):
            self.let_go(protocol, port)

    def _file(self, protocol: Protocol, port: int) -> Path:
        return self._folder / f"{protocol}-{port}"

    def _holder(self, protocol: Protocol, port: int) -> Path | None:
        """The folder of the lease that has it, while that says so itself: a lease that was wiped, or is another
        renter's by now, has let it go without a word. What is just being taken is bound meanwhile."""
        try:
            holder = Path(self._file(protocol, port).read_text())
            records = read_records(PodFolders(holder, holder).endpoints)
        except FileNotFoundError:
            return None
        return holder if any((one.protocol, one.public) == (protocol, port) for one in records) else None

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._folder / ".lock")
