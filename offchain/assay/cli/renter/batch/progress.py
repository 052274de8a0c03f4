"""How far a batch is, for people: what happened line by line, and on a terminal one line that stands below them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assay.cli.output import escaped, note

if TYPE_CHECKING:
    from rich.status import Status

    from assay.renter.batch.batch_run import BatchProgress

EVERY_S = 30.0  # between lines where nobody watches
MOST_LINES = 12  # of what one event tells


class Teller:
    """Tells of events and of how far it is; `amount` shows base units."""

    def __init__(self, amount: Callable[[int], str], status: Status | None) -> None:
        self._amount, self._status = amount, status
        self._told_at, self._told = time.monotonic(), ""

    @classmethod
    @contextmanager
    def opened(cls, amount: Callable[[int], str]) -> Iterator[Teller]:
        """For the time of a `with` block."""
        if not sys.stderr.isatty():
            yield cls(amount, None)
            return
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield cls(amount, status)

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

    def look(self, progress: BatchProgress) -> None:
        """How far it is."""
        text = progress_text(progress, self._amount)
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
