"""CDI: under which name a container engine hands a card over, and which card it is by the device nodes behind it.

`nvidia-ctk cdi generate` writes the files once; cards may be swapped after it. So a name is believed only where the
node behind it belongs to the card that is meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import yaml

FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))  # the second goes before the first, as engines read them
NVIDIA = "nvidia.com/gpu"
MAX_FILE = 1 << 20
_CARD_NODE = re.compile(r"/dev/nvidia([0-9]{1,3})")
log = structlog.get_logger()


@dataclass(frozen=True)
class CdiDevice:
    """A name such as nvidia.com/gpu=0, and the numbers of the cards in the nodes behind it."""

    name: str
    minors: frozenset[int]

    @property
    def kind(self) -> str:
        return self.name.partition("=")[0]

    @property
    def local(self) -> str:
        """What stands behind the equals sign."""
        return self.name.partition("=")[2]


def read_cdi(folders: Iterable[Path] = FOLDERS) -> dict[str, CdiDevice]:
    """All devices of the files that can be read, by name; one that cannot is told in the log and left out."""
    found: dict[str, CdiDevice] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*.json"), *folder.glob("*.yaml"), *folder.glob("*.yml")]):
            try:
                found.update((one.name, one) for one in _devices(path))
            except (OSError, ValueError, yaml.YAMLError, TypeError, AttributeError, KeyError, RecursionError) as error:
                log.warning("a CDI file cannot be read", file=str(path), error=str(error)[:200])
    return found


def name_of_card(devices: Iterable[CdiDevice], uuid: str, index: int, minor: int | None) -> str | None:
    """The name of a whole card: by its uuid, else by its number, else by its node alone."""
    cards = [one for one in devices if one.kind == NVIDIA and len(one.minors) == 1]
    mine = [one for one in cards if minor is None or one.minors == {minor}]
    for wanted in (uuid, str(index)):
        for one in mine:
            if one.local == wanted:
                return one.name
    if minor is None:
        return None
    # Not by the uuid of another: a file from before cards were swapped, which the next one will contradict.
    return next((one.name for one in mine if ":" not in one.local and not one.local.startswith(("MIG-", "GPU-"))), None)


def name_of_slice(devices: Iterable[CdiDevice], uuid: str, index: int, number: int, minor: int | None) -> str | None:
    """The name of a MIG slice: by its uuid, else by the numbers of card and slice. Its nodes must be its card's."""
    mine = [one for one in devices if one.kind == NVIDIA and (minor is None or one.minors == {minor})]
    for wanted in (uuid, f"{index}:{number}"):
        for one in mine:
            if one.local == wanted:
                return one.name
    return None


def _devices(path: Path) -> Sequence[CdiDevice]:
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} bytes")
    text = path.read_text(encoding="utf-8")
    document: Any = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    kind = document["kind"]
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", kind):
        raise ValueError("its kind is no vendor/class")
    return [CdiDevice(f"{kind}={one['name']}", _minors(one)) for one in document.get("devices") or []]


def _minors(device: Any) -> frozenset[int]:
    nodes = (device.get("containerEdits") or {}).get("deviceNodes") or []
    paths = (str(node.get("hostPath") or node.get("path")) for node in nodes)
    return frozenset(int(match[1]) for path in paths if (match := _CARD_NODE.fullmatch(path)))
