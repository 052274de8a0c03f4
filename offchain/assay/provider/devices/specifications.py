"""The specifications of this provider's devices, kept since their enrolment: the registry holds their hashes only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.protocol.specification import canonical_specification, specification_hash
from assay.protocol.types import DeviceId
from assay.provider.errors import ProviderError

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
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
        """Stores what was enrolled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.path(device_id).write_bytes(canonical_specification(document))

    def of_device(self, device_id: DeviceId, spec_hash: bytes) -> dict[str, Any] | None:
        """The document with this hash; None where there is none, or where it is not what was enrolled."""
        try:
            document = json.loads(self.path(device_id).read_text())
            if isinstance(document, dict) and specification_hash(document) == spec_hash:
                return document
        except (OSError, ValueError):
            return None
        return None
