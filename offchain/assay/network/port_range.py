"""A range of ports, as a setting names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIRST_PORT, LAST_PORT = 1_024, 65_535
_FORM = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True)
class PortRange:
    """Ports from `first` to `last`, both of them."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """From 30000-30999 or a single port. Raises ValueError."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError("expected FIRST-LAST, as 30000-30999")
        made = cls(int(found[1]), int(found[2] or found[1]))
        if not FIRST_PORT <= made.first <= made.last <= LAST_PORT:
            raise ValueError(f"expected ports from {FIRST_PORT} to {LAST_PORT}, the lower one first")
        return made

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"
