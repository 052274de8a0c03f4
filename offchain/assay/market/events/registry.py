"""Event names to records. An event that is not here is kept as it came, and projected onto nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from types import ModuleType
from typing import Any

from assay.market.events import (
    demand_events,
    device_events,
    epoch_events,
    fault_events,
    lease_events,
    reward_events,
    seat_events,
    stake_events,
    token_events,
    treasury_events,
)
from assay.market.events.record import Event, Place

_MODULES = (
    demand_events, device_events, epoch_events, fault_events, lease_events, reward_events, seat_events, stake_events,
    token_events, treasury_events,
)  # fmt: skip


def _records(module: ModuleType) -> Iterator[type[Event]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Event) and is_dataclass(value):
            yield value


RECORDS: Mapping[tuple[str, str], type[Event]] = {
    (record.CONTRACT, record.name()): record for module in _MODULES for record in _records(module)
}


@dataclass(frozen=True, slots=True)
class RawLog:
    """A decoded log of one of the deployment's contracts."""

    place: Place
    contract: str
    name: str
    arguments: Mapping[str, Any]

    def record(self) -> Event | None:
        """The typed record, None for an event that the market does not follow. Raises BadEvent."""
        kind = RECORDS.get((self.contract, self.name))
        return None if kind is None else kind.from_arguments(self.arguments)


def log_of(event: Event, place: Place) -> RawLog:
    """The log that `event` would come from."""
    return RawLog(place, event.CONTRACT, event.name(), event.to_arguments())
