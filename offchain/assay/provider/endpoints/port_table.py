"""The kernel's table of public ports, of one daemon."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from dataclasses import replace

from assay.provider.endpoints import port_rules
from assay.provider.endpoints.port_rules import IngressAccess, PortLimits, PortsThere, PublicPort
from assay.provider.errors import RuntimeUnavailable
from assay.provider.ingress.fronts import front_of
from assay.provider.pods.commands import CommandFailed, run


class PortTable:
    """`name` tells this daemon's table from another's, `prefix` begins the names of its pods' interfaces; `ingress` is
    what serves names, None where nothing does."""

    def __init__(self, name: str, prefix: str, limits: PortLimits, ingress: IngressAccess | None = None) -> None:
        self._table = f"assay_{name}_ports"
        self._prefix = prefix
        self._limits = limits
        self._ingress = ingress
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises RuntimeUnavailable where such rules cannot be made."""
        one = PublicPort("tcp", 1, "10.213.0.2", 1, 0, 2.0)
        front = replace(one, front=front_of(0))
        _, comes = port_rules.changes(self._table, PortsThere(), [one, front], self._limits, 1.0)
        try:
            run("nft", "-c", "-f", "-", stdin=port_rules.base(self._table, self._prefix, self._ingress) + comes)
        except CommandFailed as error:
            raise RuntimeUnavailable(f"public ports need nftables with NAT and connection limits: {error}") from error

    def there(self, now: float) -> PortsThere:
        """What the kernel has now; nothing where the table is missing. Raises CommandFailed."""
        try:
            listed = run("nft", "-j", "list", "table", "inet", self._table)
        except CommandFailed as error:
            if "No such file" in str(error):
                return PortsThere()
            raise
        return port_rules.read(json.loads(listed), now)

    def hold(self, wanted: Collection[PublicPort], now: float) -> None:
        """Makes these ports lead where they are to, and no others anywhere. Raises CommandFailed, and then some may
        not: to be called again."""
        with self._lock:
            there = self.there(now)
            if there.mark != port_rules.mark(self._prefix, self._ingress):
                run("nft", "-f", "-", stdin=port_rules.base(self._table, self._prefix, self._ingress))
                there = PortsThere()
            for script in port_rules.changes(self._table, there, wanted, self._limits, now):
                if script:
                    run("nft", "-f", "-", stdin=script)

    def remove(self) -> None:
        """Takes the table away."""
        with self._lock:
            run("nft", "-f", "-", stdin=port_rules.removal(self._table))
