"""What a network tells people while it works: a line for each thing done, with the seconds it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Progress:
    """Lines with seconds since the start; a spinner where something takes a while."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def done(self, line: str) -> None:
        """Something is done."""
        self._print("[green]✓[/]", escape(line))

    def chain(self, line: str) -> None:
        """Something happened on the chain; `line` may carry markup."""
        self._print("[dim]·[/]", line)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that `what` is going on, and tell when it is done."""
        with self.console.status(escape(what)):
            yield
        self.done(what)

    def _print(self, mark: str, line: str) -> None:
        self.console.print(f"[dim]{self.seconds:4.0f} s[/] {mark} {line}", highlight=False)
