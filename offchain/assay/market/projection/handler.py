"""What a handler is: the event it takes, and the changes it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from assay.market.events.record import Event, Place
from assay.market.store.rows import Change, RowReader

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Handler:
    """One event's projection."""

    event: type[Event]
    changes: Callable[[Any, Place, RowReader], Iterable[Change]]

    def __call__(self, event: Event, place: Place, rows: RowReader) -> Iterable[Change]:
        return self.changes(event, place, rows)


def handles(event: type[E]) -> Callable[[Callable[[E, Place, RowReader], Iterable[Change]]], Handler]:
    """Makes a function the handler of an event."""
    return lambda changes: Handler(event, changes)
