"""How far a batch is, for people: what happened line by line, and on a terminal one line that stands below them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from assay.cli.output import escaped, note

if TYPE_CHECKING:
    from rich.status import Status

    from assay.renter.batch.batch_run import BatchProgress

P = TypeVar("P")
EVERY_S = 30.0  # between lines where nobody watches
MOST_LINES = 12  # of what one event tells


class Teller(Generic[P]):
    """Tells of events and of how far it is, which `line` puts into words."""

    def __init__(self, line: Callable[[P], str], status: Status | None) -> None:
        self._line, self._status = line, status
        self._told_at, self._told = time.monotonic(), ""

    @classmethod
    @contextmanager
    def opened(cls, line: Callable[[P], str]) -> Iterator[Teller[P]]:
        """For the time of a `with` block."""
        if not sys.stderr.isatty():
            yield cls(line, None)
            return
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield cls(line, status)

    def tell(self, text: str) -> None:
        """An event; of a job's output the last lines, indented."""
        first, *rest = text.splitlines() or [""]
        lines = [first, *(f"    {line}" for line in rest[-MOST_LINES:])]
        if self._status is None:
            for line in lines:
                note(line)
        else:
            from rich.text import Text

            for line in lines:
                self._status.console.print(Text(escaped(line)), highlight=False, soft_wrap=True)

    def look(self, progress: P) -> None:
        """How far it is."""
        text = self._line(progress)
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(text))
        elif text != self._told and time.monotonic() - self._told_at >= EVERY_S:
            self._told_at, self._told = time.monotonic(), text
            note(text)


def progress_text(progress: BatchProgress, amount: Callable[[int], str]) -> str:
    """One line."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    return (
        f"{progress.done} of {progress.jobs} jobs done{failed}, {progress.running} running on {progress.leases} leases,"
        f" at most {amount(progress.committed)}"
    )
