"""The specifications of this provider's devices, kept since their enrolment: the registry holds their hashes only."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.protocol.keccak import keccak
from assay.protocol.specification import canonical_specification, specification_hash
from assay.protocol.types import DeviceId
from assay.provider.errors import ProviderError

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DEVICE = re.compile("0x[0-9a-f]{64}")
MAX_REGION = 40


def checked_region(region: str) -> str:
    """The region itself, empty where none is told. Raises ProviderError."""
    if region and (len(region) > MAX_REGION or not _REGION.fullmatch(region)):
        raise ProviderError(f"region {region[:60]!r}: lower-case words joined by hyphens, such as eu-west")
    return region


class Specifications:
    """One file for each device in the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "specifications"

    def path(self, device_id: DeviceId) -> Path:
        return self._folder / f"0x{device_id.hex()}.json"

    def keep(self, device_id: DeviceId, document: Mapping[str, Any]) -> None:
        """Stores what is to be enrolled. What was kept before stays too, by its hash: it may be on its way already."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path, content = self.path(device_id), canonical_specification(document)
        with contextlib.suppress(OSError):
            before = path.read_bytes()
            if before != content:
                self._earlier(device_id, keccak(before)).write_bytes(before)
        path.write_bytes(content)

    def known(self) -> list[DeviceId]:
        """The devices that one is kept of, ascending."""
        names = (path.stem for path in self._folder.glob("0x*.json"))
        return [DeviceId(bytes.fromhex(name[2:])) for name in sorted(names) if _DEVICE.fullmatch(name)]

    def of_device(self, device_id: DeviceId, spec_hash: bytes) -> dict[str, Any] | None:
        """The document with this hash; None where there is none, or where it is not what was enrolled."""
        for path in (self.path(device_id), self._earlier(device_id, spec_hash)):
            with contextlib.suppress(OSError, ValueError):
                document = json.loads(path.read_text())
                if isinstance(document, dict) and specification_hash(document) == spec_hash:
                    return document
        return None

    def _earlier(self, device_id: DeviceId, spec_hash: bytes) -> Path:
        return self._folder / f"0x{device_id.hex()}-{spec_hash[:8].hex()}.json"
