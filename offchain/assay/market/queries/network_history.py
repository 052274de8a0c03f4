"""The network over time, by epoch: devices, leases, what they cost and streamed, and stake."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from sqlalchemy import Connection, select

from assay.market.events.stake_events import (
    Deposited,
    SlashHeld,
    SlashRestored,
    WithdrawalCancelled,
    WithdrawalRequested,
)
from assay.market.queries.pages import many
from assay.market.store.tables import epochs, events, leases, stakes
from assay.protocol.rates import RATE_UNIT

MAX_EPOCHS = 200
_COLUMNS = ("epoch", "phase", "opened_at", "opened_block", "passed", "failed", "leased", "total_gops", "seal_count")
# What each does to the stake that backs devices and seats.
_STAKED = {Deposited: 1, WithdrawalRequested: -1, WithdrawalCancelled: 1, SlashHeld: -1, SlashRestored: 1}
_SIGNS = {event.__name__: sign for event, sign in _STAKED.items()}


@dataclass(frozen=True, slots=True)
class RentStream:
    """What a lease pays for all its `devices`: base units x 10^18 a second, from `start` to `stop` in seconds."""

    token: str
    rate: int
    start: int
    stop: int
    devices: int


def time_series(connection: Connection, now: int) -> list[dict[str, Any]]:
    """The newest epochs, oldest first, each until the next one was opened, the newest until `now`: devices, how much of
    what could be leased was, how many leases were opened, what was staked, and by token what streamed and the median
    price of a device in leases that began. Amounts and rates are as in `leases`.
    """
    query = select(*(epochs.c[name] for name in _COLUMNS)).order_by(epochs.c.epoch.desc()).limit(MAX_EPOCHS)
    rows = list(reversed(many(connection, query)))
    if not rows:
        return []
    begins = [row["opened_at"] for row in rows]
    opened = [0] * len(rows)
    for moment in connection.execute(select(leases.c.opened_at).where(leases.c.opened_at >= begins[0])).scalars():
        opened[bisect_right(begins, moment) - 1] += 1
    paid = _streams(connection, begins[0])
    flows, prices = streamed(paid, begins, now), median_rates(paid, begins)
    staked = _staked(connection, rows[0]["opened_block"], begins)
    found = []
    for n, row in enumerate(rows):
        there = row["passed"] + row["leased"]
        tokens = sorted(flows[n].keys() | prices[n].keys())
        money = [{"token": t, "streamed": flows[n].get(t, 0), "median_rate": prices[n].get(t)} for t in tokens]
        share = row["leased"] * 10_000 // there if there else 0
        more = {"utilisation_bps": share, "leases_opened": opened[n], "staked": staked[n], "money": money}
        found.append({**{name: row[name] for name in _COLUMNS if name != "opened_block"}, **more})
    return found


def streamed(paid: Iterable[RentStream], begins: Sequence[int], end: int) -> list[dict[str, int]]:
    """By epoch and token the base units that streamed; epochs begin at `begins`, the last one ends at `end`."""
    bounds = [*begins, max(end, begins[-1])]
    changes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for one in paid:
        start, stop = max(one.start, bounds[0]), min(one.stop, bounds[-1])
        if start < stop:
            changes[one.token][start] += one.rate
            changes[one.token][stop] -= one.rate
    found: list[dict[str, int]] = [{} for _ in begins]
    for token, by_time in changes.items():
        rate, at, sums = 0, bounds[0], [0] * len(begins)
        # Each bound is a moment too, so that nothing between two moments lies in two epochs.
        for moment in sorted(by_time.keys() | set(bounds)):
            if moment > at:
                sums[bisect_right(begins, at) - 1] += rate * (moment - at)
            rate, at = rate + by_time.get(moment, 0), moment
        for n, total in enumerate(sums):
            if total:
                found[n][token] = total // RATE_UNIT
    return found


def median_rates(paid: Iterable[RentStream], begins: Sequence[int]) -> list[dict[str, int]]:
    """By epoch and token the median rate of one device in leases that began in it."""
    rates: list[dict[str, list[int]]] = [defaultdict(list) for _ in begins]
    for one in paid:
        if one.start >= begins[0]:
            rates[bisect_right(begins, one.start) - 1][one.token].append(one.rate // one.devices)
    return [{token: median_low(values) for token, values in of.items()} for of in rates]


def _streams(connection: Connection, since: int) -> list[RentStream]:
    columns = (leases.c.token, leases.c.rate, leases.c.start, leases.c.stop, leases.c.device_ids)
    rows = connection.execute(select(*columns).where(leases.c.start > 0, leases.c.stop > since))
    return [RentStream(row.token, row.rate, row.start, row.stop, len(row.device_ids)) for row in rows]


def _staked(connection: Connection, block: int, begins: Sequence[int]) -> list[int]:
    """Active stake when each epoch was opened: today's, less what was done since."""
    active = sum(connection.execute(select(stakes.c.active).where(stakes.c.active != 0)).scalars())
    query = (
        select(events.c.timestamp, events.c.name, events.c.arguments)
        .where(events.c.block >= block, events.c.contract == Deposited.CONTRACT, events.c.name.in_(_SIGNS))
        .order_by(events.c.block.desc(), events.c.log_index.desc())
    )
    changes = [
        (row.timestamp, _SIGNS[row.name] * int(json.loads(row.arguments)["amount"]))
        for row in connection.execute(query)
    ]
    found, at = [], 0
    for begin in reversed(begins):
        while at < len(changes) and changes[at][0] > begin:
            active -= changes[at][1]
            at += 1
        found.append(active)
    return found[::-1]
