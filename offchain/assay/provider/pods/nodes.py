"""What a pod is told of the others of its cluster: names, variables, and a file for what was started before."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.provider.pods.layout import PodFolders
from assay.provider.pods.processes.keeper import write_whole

TOLD = "nodes.json"  # below TOOLS_INSIDE
MASTER_PORT = "29500"  # what torchrun takes where nobody says


@dataclass(frozen=True)
class Nodes:
    """The addresses of a cluster's pods by rank, which of them the pod is, and the interface it reaches them by."""

    rank: int = 0
    addresses: tuple[str, ...] = ()
    interface: str = ""
    leases: tuple[int, ...] = field(default=())

    @property
    def names(self) -> dict[str, str]:
        """Address by name."""
        return {f"node-{rank}": address for rank, address in enumerate(self.addresses)}

    @property
    def environment(self) -> dict[str, str]:
        """What programs of the pod see; in no cluster nothing."""
        if not self.addresses:
            return {}
        return {
            "ASSAY_NODE_RANK": str(self.rank),
            "ASSAY_NODE_COUNT": str(len(self.addresses)),
            "ASSAY_NODE_ADDRESSES": ",".join(self.addresses),
            "MASTER_ADDR": self.addresses[0],
            "MASTER_PORT": MASTER_PORT,
            # Else both take the address of the pod's name, which is its loopback.
            "GLOO_SOCKET_IFNAME": self.interface,
            "NCCL_SOCKET_IFNAME": self.interface,
        }


def tell(folders: PodFolders, nodes: Nodes) -> None:
    """Notes it for programs that start from now on, and in a file inside. Raises OSError."""
    shown = {"rank": nodes.rank, "addresses": nodes.addresses, "leases": nodes.leases, "interface": nodes.interface}
    write_whole(folders.nodes, json.dumps(shown))
    write_whole(folders.tools / TOLD, json.dumps(shown))
    (folders.tools / TOLD).chmod(0o644)


def told(folders: PodFolders) -> Nodes:
    """What was noted last."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return _parsed(json.loads(Path(folders.nodes).read_text()))
    return Nodes()


def _parsed(found: Any) -> Nodes:
    addresses, leases = tuple(map(str, found["addresses"])), tuple(map(int, found["leases"]))
    return Nodes(int(found["rank"]), addresses, str(found["interface"]), leases)
