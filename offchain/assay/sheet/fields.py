"""What a sheet has, where each value is found in a listing, and whose word it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.text import printable
from assay.sheet.values import Sheet, SheetValue, Source

VERSION = "version"  # 12.4 as 1204


@dataclass(frozen=True, slots=True)
class SheetField:
    """`name` on the wire and on the command line, `column` of a listing's row, in which 0 and "" are not known."""

    name: str
    column: str
    unit: str
    source: Source
    help: str

    @property
    def is_text(self) -> bool:
        """Whether it is a text, which nothing is sorted by."""
        return self.unit == "text"

    def shown(self, value: int | str) -> int | str:
        """As people and programs read it: a version as such."""
        return f"{int(value) // 100}.{int(value) % 100}" if self.unit == VERSION else value

    def number(self, text: str) -> int:
        """A bound on it, from outside. Raises ValueError."""
        match = re.fullmatch(r"([0-9]{1,6})\.([0-9]{1,2})" if self.unit == VERSION else r"([0-9]{1,18})", text)
        if match is None:
            wanted = "a version such as 12.4" if self.unit == VERSION else "a whole number"
            raise ValueError(f"{self.name}: {text[:40]!r}, expected {wanted}")
        return int(match[1]) * 100 + int(match[2]) if self.unit == VERSION else int(match[1])


def _field(name: str, source: Source, unit: str, text: str) -> SheetField:
    column = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)
    return SheetField(name, column, unit, source, text)


FIELDS: tuple[SheetField, ...] = (
    _field("gpus", Source.proven, "", "devices leased together, each proven by itself at one instant"),
    _field("scoreGops", Source.proven, "Gop/s", "int8 operations"),
    _field("ofExpectedBps", Source.proven, "bps", "score, of what the declared model should make"),
    _field("memoryMib", Source.proven, "MiB", "memory of the card that a probe proved"),
    _field("memoryReadGbs", Source.testimony, "GB/s", "reads of memory at least: it was shown within the class's time"),
    _field("uptimeBps", Source.testimony, "bps", "uptime in the newest report"),
    _field("reliabilityBps", Source.testimony, "bps", "epochs passed of those measured"),
    _field("measuredEpochs", Source.testimony, "", "epochs that the reliability is of"),
    _field(
        "reliabilityLowBps", Source.testimony, "bps", "epochs passed at least, by how many there are; slashes count"
    ),
    _field("providerSlashes", Source.proven, "", "devices of its provider that were slashed"),
    _field("modelName", Source.declared, "text", "model"),
    _field("memoryGb", Source.declared, "GB", "memory that such a card is sold with"),
    _field("bf16Tflops", Source.declared, "TFLOP/s", "bf16, by the data sheet of the declared model"),
    _field("bandwidthGbs", Source.declared, "GB/s", "memory bandwidth, by the data sheet of the declared model"),
    _field("pcieMbs", Source.declared, "MB/s", "PCIe link of the card, each way"),
    _field("cardLinkMbs", Source.declared, "MB/s", "links from card to card, each way"),
    _field("cardsInHost", Source.declared, "", "cards in the host, leased or not"),
    _field("driver", Source.declared, "text", "driver"),
    _field("cuda", Source.declared, VERSION, "newest CUDA that the driver knows"),
    _field("hostCores", Source.declared, "", "cores of the machine, for all devices together"),
    _field("cpuMhz", Source.declared, "MHz", "speed of the cores at most"),
    _field("hostMemoryMib", Source.declared, "MiB", "memory of the machine, for all devices together"),
    _field("hostDiskMib", Source.declared, "MiB", "disk, for all devices together"),
    _field("diskReadMbs", Source.declared, "MB/s", "reads from the disk, in sequence"),
    _field("diskWriteMbs", Source.declared, "MB/s", "writes to the disk, in sequence"),
    _field("networkUpMbps", Source.declared, "Mbit/s", "network from the host"),
    _field("networkDownMbps", Source.declared, "Mbit/s", "network to the host"),
    _field("region", Source.declared, "text", "region"),
)
BY_NAME = {one.name: one for one in FIELDS}
NUMBERS = {one.name: one for one in FIELDS if not one.is_text}


def sheet_of_row(row: Mapping[str, Any]) -> Sheet:
    """The sheet of a listing, of what is known of it; memory that is only declared is not proven memory."""
    found = {}
    for field in FIELDS:
        value = row.get(field.column)
        if not value or (field.name == "memoryMib" and not row["memory_proven"]):
            continue
        known = printable(value) if isinstance(value, str) else field.shown(value)
        found[field.name] = SheetValue(known, "" if field.unit in ("text", VERSION) else field.unit, field.source)
    return found


DECLARED = frozenset(one.name for one in FIELDS if one.source is Source.declared)


def parse_sheet(data: Any) -> Sheet:
    """The values that this program knows, of a sheet from outside. Raises ValueError, also for one that says that
    others stand for a value than can: what is declared is nowhere proven.
    """
    if not isinstance(data, Mapping):
        raise ValueError("a sheet that is no object")
    found = {name: SheetValue.parse(data[name]) for name in BY_NAME if name in data}
    for name, value in found.items():
        if value.source not in (BY_NAME[name].source, Source.renters):
            raise ValueError(f"{name} is called {value.source}, and is {BY_NAME[name].source}")
    return found


def bound_of(text: str, sign: str) -> tuple[SheetField, int]:
    """The field and number of a bound such as `diskReadMbs:2000`. Raises ValueError."""
    name, found, number = text.partition(sign)
    if not found or name not in NUMBERS:
        raise ValueError(f"{text[:60]!r}: expected NAME{sign}NUMBER with a name of {', '.join(NUMBERS)}")
    return NUMBERS[name], NUMBERS[name].number(number)
