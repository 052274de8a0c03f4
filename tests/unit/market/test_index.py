"""The index: the same history gives the same bytes, however it was cut, and whatever was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from assay.market.events.device_events import DeviceRetired
from assay.market.events.fault_events import DemandAnswered, DemandExpired, DemandMade, FaultProven, WrongElementShown
from assay.market.events.lease_events import (
    BondForfeited,
    LeaseClaimed,
    LeaseEnded,
    LeaseOpened,
    LeaseRefunded,
    LeaseStarted,
    LeaseToppedUp,
)
from assay.market.events.record import Event
from assay.market.events.stake_events import Slashed, WithdrawalCancelled, WithdrawalRequested
from assay.market.follow.index import Batch, Index
from assay.market.store.database import INDEX_TABLES
from assay.market.store.rows import table_rows
from assay.market.store.tables import leases as leases_table
from assay.market.store.tables import stakes as stakes_table

from .blank_database import blank_database
from .scenario import (
    DEVICES,
    PROVIDERS,
    RENTER,
    SEATS,
    TOKEN,
    VALIDATORS,
    device_leaves,
    epoch_events,
    founding,
    h,
    logs_of,
    timestamp,
    tip,
)

FIRST, LAST = 5, 40
number = st.integers(0, 10**18)
device = st.sampled_from(DEVICES)
lease = st.integers(1, 3)
of, just = st.sampled_from, st.just
stop = st.integers(1, 40).map(timestamp)
event = st.one_of(
    st.builds(LeaseOpened, lease, just(RENTER), of(PROVIDERS), device, just(TOKEN), number, number),
    st.builds(LeaseStarted, lease, just(h("r")), just(timestamp(9)), stop, number),
    st.builds(LeaseToppedUp, lease, number, st.integers(1, 60).map(timestamp)),
    st.builds(LeaseEnded, lease, just(RENTER), stop, number),
    st.builds(LeaseClaimed, lease, of(PROVIDERS), number, number),
    st.builds(LeaseRefunded, lease, just(RENTER), number),
    st.builds(DeviceRetired, device, of([2, 3])),
    st.builds(Slashed, of(PROVIDERS), number, just(5), just(RENTER)),
    st.builds(FaultProven, just(1), device, st.integers(0, 3), just(PROVIDERS[0]), number, just(RENTER)),
    st.builds(WrongElementShown, device, st.integers(0, 3), number, number, number, number, just(-5)),
    st.builds(DemandMade, lease, device, st.integers(0, 3), st.booleans(), number, number, number, just(RENTER)),
    st.builds(DemandAnswered, lease, just(RENTER)),
    st.builds(DemandExpired, lease),
    st.builds(BondForfeited, lease, number),
)  # fmt: skip
histories = st.lists(st.tuples(st.integers(FIRST, LAST), event), max_size=40)
cuts = st.sets(st.integers(FIRST, LAST - 1), max_size=6)


def new_index(number: int = 0) -> Index:
    return Index(blank_database(number), max_age=2)


def feed(index: Index, history: Sequence[tuple[int, Event]], ends: Sequence[int], after: int = 0) -> None:
    """Applies the blocks above `after` in batches with these ends."""
    for start, end in pairwise([after, *ends]):
        piece = [pair for pair in history if start < pair[0] <= end]
        index.apply(Batch(logs_of(piece), {1: SEATS} if start == 0 else {}, tip(end)))


def dump(index: Index) -> list[str]:
    with index.engine.connect() as connection:
        return list(table_rows(connection, INDEX_TABLES))


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(histories, cuts)
def test_index__of_one_history_cut_differently__is_the_same_bytes(
    history: list[tuple[int, Event]], ends: set[int]
) -> None:
    whole = founding() + epoch_events(1, 20, device_leaves(1)) + history
    at_once, in_pieces = new_index(0), new_index(1)
    feed(at_once, whole, [LAST])
    feed(in_pieces, whole, [*sorted(ends), LAST])
    assert dump(at_once) == dump(in_pieces)


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(histories, histories, cuts, st.integers(FIRST, LAST - 1))
def test_roll_back__of_one_branch_for_another__leaves_nothing_of_the_first(
    orphaned: list[tuple[int, Event]], kept: list[tuple[int, Event]], ends: set[int], fork: int
) -> None:
    shared = founding() + [pair for pair in kept if pair[0] <= fork]
    index, expected = new_index(0), new_index(1)
    before = [*sorted(end for end in ends if end < fork), fork]
    feed(index, shared, before)
    feed(
        index,
        [pair for pair in orphaned if pair[0] > fork],
        [*sorted(e for e in ends if e > fork), LAST],
        fork,
    )
    index.roll_back(fork)
    feed(expected, shared, before)
    assert dump(index) == dump(expected)
    rest = [pair for pair in kept if pair[0] > fork]
    feed(index, rest, [LAST], fork)
    feed(expected, rest, [LAST], fork)
    assert dump(index) == dump(expected)


def test_roll_back__below_the_journal__empties_the_index() -> None:
    index = new_index()
    feed(index, founding(), [10])
    assert index.roll_back(3) is None
    assert dump(index) == []
    assert index.tip() is None


def test_stake__after_a_withdrawal_request_and_a_slash__is_taken_from_active_then_pending(
    index: Index,
) -> None:
    account = PROVIDERS[0]
    events: list[tuple[int, Event]] = [
        (5, WithdrawalRequested(account, 15 * 10**18, 99)),
        (6, Slashed(account, 12 * 10**18, 10**18, RENTER)),
        (7, WithdrawalRequested(VALIDATORS[0], 5, 9)),
        (8, WithdrawalCancelled(VALIDATORS[0], 5)),
    ]
    feed(index, founding() + events, [10])
    with index.engine.connect() as connection:
        stakes = {row.account: row for row in connection.execute(select(stakes_table))}
    # 20 deposited, 15 asked back: 5 active and 15 pending before 12 are taken.
    assert (stakes[account].active, stakes[account].pending) == (0, 8 * 10**18)
    assert stakes[RENTER].bounties == 10**18
    assert stakes[VALIDATORS[0]].active == 10**21


@pytest.mark.parametrize("by_downtime, by_end, forfeited", [(7, 0, 7), (0, 5, 5), (0, 0, 0)])
def test_bond__forfeited_by_downtime_or_by_an_early_end__is_noted_once(
    index: Index, by_downtime: int, by_end: int, forfeited: int
) -> None:
    events: list[tuple[int, Event]] = [
        (5, LeaseOpened(1, RENTER, PROVIDERS[0], DEVICES[0], TOKEN, 1, 100)),
        (6, LeaseStarted(1, h("r"), timestamp(6), timestamp(30), 7)),
        *([(7, BondForfeited(1, by_downtime))] if by_downtime else []),
        (8, LeaseEnded(1, PROVIDERS[0], timestamp(8), by_end)),
    ]
    feed(index, founding() + events, [10])
    with index.engine.connect() as connection:
        assert connection.execute(select(leases_table.c.forfeited)).scalar_one() == forfeited
