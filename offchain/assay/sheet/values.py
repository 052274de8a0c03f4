"""One value of a sheet, with whose word it is: the same on the wire, in a search and in a library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_VALUE_TEXT = 80
MAX_NUMBER = 1 << 62


class Source(StrEnum):
    """Whose word a value is."""

    proven = "proven"  # arithmetic that anybody can do again, against a root on the chain
    testimony = "testimony"  # of a quorum of validators
    renters = "renters"  # of renters who paid for a lease on the chain and measured inside it
    declared = "declared"  # the provider's; its hash is signed, its truth is not


@dataclass(frozen=True, slots=True)
class SheetValue:
    """`unit` is empty for counts and texts. `by` is how many renters say so, 0 for the other sources."""

    value: int | str
    unit: str
    source: Source
    by: int = 0

    @property
    def whose(self) -> str:
        """As people are told: proven, testimony, declared, or how many renters."""
        if self.source is not Source.renters:
            return self.source.value
        return "1 renter" if self.by == 1 else f"{self.by} renters"

    def to_json(self) -> dict[str, Any]:
        """As it goes over the wire."""
        return {"value": self.value, "unit": self.unit, "source": self.source.value, "by": self.by}

    @classmethod
    def parse(cls, data: Any) -> SheetValue:
        """From outside. Raises ValueError."""
        if not isinstance(data, Mapping):
            raise ValueError("a value of a sheet that is not an object")
        value, unit, by = data.get("value"), data.get("unit"), data.get("by", 0)
        number = type(value) is int and 0 <= value < MAX_NUMBER
        if not number and not (isinstance(value, str) and len(value) <= MAX_VALUE_TEXT and value.isprintable()):
            raise ValueError(f"a value of a sheet: {str(value)[:60]!r}, expected a number or a short text")
        if not isinstance(unit, str) or len(unit) > 12 or not unit.isprintable():
            raise ValueError(f"a value of a sheet in {str(unit)[:60]!r}")
        if type(by) is not int or not 0 <= by < MAX_NUMBER:
            raise ValueError(f"a value of a sheet by {str(by)[:60]!r}")
        return cls(value, unit, Source(data.get("source")), by)  # type: ignore[arg-type]


Sheet = Mapping[str, SheetValue]
