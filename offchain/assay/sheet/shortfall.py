"""What was measured inside a lease beside what its sheet says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.protocol.text import printable
from assay.sheet.fields import BY_NAME
from assay.sheet.model_names import named_model
from assay.sheet.pod_check import MARK
from assay.sheet.values import MAX_NUMBER, MAX_VALUE_TEXT, Sheet

# Percent of what the sheet says that an honest machine shows at least: an attainable part of a data sheet's rate, and
# what other work on a disk takes.
ENOUGH = {
    "gpus": 100, "hostCores": 100, "hostMemoryMib": 95, "hostDiskMib": 80, "diskReadMbs": 70, "diskWriteMbs": 70,
    "bf16Tflops": 60, "bandwidthGbs": 75, "memoryGb": 100, "networkUpMbps": 70, "networkDownMbps": 70, "pcieMbs": 60,
    "cardLinkMbs": 60,
}  # fmt: skip
# Measured and on no sheet: name -> (unit, what it is).
OFF_SHEET = {"hostMemoryGbs": ("GB/s", "memory of the machine, copied by all cores at once")}
MAX_CARDS = 16
MAX_LINE = 64 << 10


@dataclass(frozen=True, slots=True)
class PodMeasurement:
    """Numbers by their names in a sheet, and the model of each card as its driver names it."""

    values: Mapping[str, int]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One value. `whose` says whose word the sheet's is, empty with an empty `sheet` for what no sheet has; `measured`
    is None where the pod could not measure it, `short` says that it is less than the sheet's by more than an honest
    machine's may be, or another model.
    """

    name: str
    sheet: int | str
    measured: int | str | None
    unit: str
    whose: str
    short: bool


def parse_measurement(output: str) -> PodMeasurement:
    """The line that `pod_check` printed, out of all that a job put out. Raises ValueError."""
    line = next((one for one in reversed(output.splitlines()) if one.startswith(MARK)), None)
    if line is None or len(line) > MAX_LINE:
        raise ValueError("the check printed no result")
    try:
        data = json.loads(line[len(MARK) :])
    except RecursionError:
        raise ValueError("the check printed nonsense") from None
    values, cards = (data.get("values"), data.get("cards")) if isinstance(data, dict) else (None, None)
    if not isinstance(values, dict) or not isinstance(cards, list) or len(cards) > MAX_CARDS:
        raise ValueError("the check printed no values, or no list of cards")
    numbers = {name: _number(name, values[name]) for name in (*ENOUGH, *OFF_SHEET) if name in values}
    known = [_card(one) for one in cards]
    if known:
        numbers["memoryGb"] = min(named_model(name, mib).memory_gb for name, mib in known)
    return PodMeasurement(numbers, tuple(named_model(name, mib).name for name, mib in known))


def compared(sheet: Sheet, found: PodMeasurement) -> list[CheckLine]:
    """Every value of the sheet that a check can measure, in the sheet's order; then what no sheet has."""
    lines = []
    for name, field in BY_NAME.items():
        value = sheet.get(name)
        if value is None:
            continue
        if name == "modelName" and found.models:
            other = next((one for one in found.models if one != value.value), None)
            lines.append(CheckLine(name, value.value, other or value.value, "", value.whose, other is not None))
        elif name in ENOUGH:
            measured = found.values.get(name)
            least = int(value.value) * ENOUGH[name]
            short = measured is not None and measured * 100 < least
            lines.append(CheckLine(name, value.value, measured, field.unit, value.whose, short))
    for name, (unit, _) in OFF_SHEET.items():
        if (measured := found.values.get(name)) is not None:
            lines.append(CheckLine(name, "", measured, unit, "", False))
    return lines


def _number(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_NUMBER:
        raise ValueError(f"{name}: {str(value)[:40]!r} is no number")
    return value


def _card(data: Any) -> tuple[str, int]:
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or len(name) > MAX_VALUE_TEXT:
        raise ValueError("a card without a name")
    return printable(name), _number("memoryMib", data.get("memoryMib"))
