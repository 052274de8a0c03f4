"""The index: the same history gives the same bytes, however it was cut, and whatever was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from assay.market.events.demand_events import DemandAnswered, DemandExpired, DemandMade
from assay.market.events.device_events import DeviceRetired, OperatorSet
from assay.market.events.fault_events import FaultProven, WrongElementShown
from assay.market.events.lease_events import (
    BondForfeited,
    DeviceOfLeaseSlashed,
    DowntimeRefunded,
    ForfeitForgiven,
    LeaseClaimed,
    LeaseEnded,
    LeaseRefunded,
    LeaseReleased,
    LeaseStarted,
    LeaseToppedUp,
    NoticeGiven,
    OffersCancelled,
)
from assay.market.events.record import Event
from assay.market.events.stake_events import (
    BountyCollected,
    SlashHeld,
    SlashRestored,
    SlashSettled,
    WithdrawalCancelled,
    WithdrawalRequested,
)
from assay.market.events.treasury_events import BondCreditFilled, BondCreditUsed, BondLimitSet, TokenDelisted
from assay.market.follow.index import LogBatch, MarketIndex
from assay.market.projection.providers import DAY_S, left_of_limit
from assay.market.queries.pages import many
from assay.market.store.database import INDEX_TABLES
from assay.market.store.rows import table_rows
from assay.market.store.tables import bond_credits as credits_table
from assay.market.store.tables import slashes as slashes_table
from assay.market.store.tables import stakes as stakes_table
from tests.unit.market.blank_database import blank_database
from tests.unit.market.scenario import (
    DEVICES,
    NOBODY,
    OPERATOR,
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
    opened,
    timestamp,
    tip,
)

FIRST, LAST = 5, 40
number = st.integers(0, 10**18)
little = st.integers(0, 10**16)
device = st.sampled_from(DEVICES)
provider = st.sampled_from(PROVIDERS)
lease = st.integers(1, 3)
asked = st.sampled_from([h(f"demand {n}") for n in range(3)])
of, just = st.sampled_from, st.just
stop = st.integers(1, 40).map(timestamp)
several = of([(0,), (1,), (0, 2), (1, 3)])
operator = of([NOBODY, OPERATOR])
event = st.one_of(
    st.builds(
        lambda lease, devices, who, nonce: opened(lease, *devices, operator=who, nonce=nonce), lease, several, operator,
        of([0, 2**64 - 1]),
    ),
    st.builds(LeaseStarted, lease, just(h("r")), just(timestamp(9)), stop, number),
    st.builds(LeaseToppedUp, lease, number, st.integers(1, 60).map(timestamp)),
    st.builds(LeaseEnded, lease, just(RENTER), stop, number),
    st.builds(LeaseReleased, lease, stop),
    st.builds(NoticeGiven, lease, stop),
    st.builds(LeaseClaimed, lease, provider, number, number),
    st.builds(LeaseRefunded, lease, just(RENTER), number),
    st.builds(DowntimeRefunded, lease, st.integers(0, 3), device, number, st.integers(0, 99)),
    st.builds(BondForfeited, lease, number),
    st.builds(ForfeitForgiven, lease, number),
    st.builds(DeviceOfLeaseSlashed, lease, device),
    st.builds(OffersCancelled, device, of([*PROVIDERS, OPERATOR]), of([0, 1, 2, 2**64 - 1])),
    st.builds(OperatorSet, provider, just(OPERATOR), of([0, 1, 30]), stop),
    st.builds(BondCreditFilled, provider, just(TOKEN), number, number),
    st.builds(BondCreditUsed, provider, just(TOKEN), lease, number, number),
    st.builds(BondLimitSet, provider, just(TOKEN), number),
    st.builds(TokenDelisted, just(TOKEN)),
    st.builds(DeviceRetired, device, of([2, 3])),
    st.builds(SlashHeld, lease, provider, just(10**16), just(5), just(RENTER), number),
    st.builds(FaultProven, just(1), device, st.integers(0, 3), just(PROVIDERS[0]), number, lease, just(RENTER)),
    st.builds(WrongElementShown, device, st.integers(0, 3), number, number, number, number, just(-5)),
    st.builds(
        DemandMade, asked, device, st.integers(0, 3), st.booleans(), number, number, number, number, just(RENTER),
        little, little,
    ),
    st.builds(DemandAnswered, asked, just(RENTER), little, little),
    st.builds(DemandExpired, asked, st.booleans()),
)  # fmt: skip
histories = st.lists(st.tuples(st.integers(FIRST, LAST), event), max_size=40)
cuts = st.sets(st.integers(FIRST, LAST - 1), max_size=6)


def new_index(number: int = 0) -> MarketIndex:
    return MarketIndex(blank_database(number), max_age=2)


def feed(index: MarketIndex, history: Sequence[tuple[int, Event]], ends: Sequence[int], after: int = 0) -> None:
    """Applies the blocks above `after` in batches with these ends."""
    for start, end in pairwise([after, *ends]):
        piece = [pair for pair in history if start < pair[0] <= end]
        index.apply(LogBatch(logs_of(piece), {1: SEATS} if start == 0 else {}, tip(end)))


def dump(index: MarketIndex) -> list[str]:
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


HELD: list[tuple[int, Event]] = [
    (5, WithdrawalRequested(PROVIDERS[0], 5 * 10**18, 99)),
    (6, SlashHeld(1, PROVIDERS[0], 12 * 10**18, 10**18, RENTER, timestamp(90))),
    (7, WithdrawalRequested(VALIDATORS[0], 5, 9)),
    (8, WithdrawalCancelled(VALIDATORS[0], 5)),
]


@pytest.mark.parametrize(
    ("after", "status", "provider", "reporter"),
    [
        ([], 1, (3, 5, 12, 0), (0, 0)),
        ([SlashSettled(1, RENTER, 10**18, 11 * 10**18)], 2, (3, 5, 0, 12), (1, 0)),
        (
            [SlashSettled(1, RENTER, 10**18, 11 * 10**18), BountyCollected(RENTER, RENTER, 10**18)],
            2,
            (3, 5, 0, 12),
            (1, 1),
        ),
        ([SlashRestored(1, PROVIDERS[0], 12 * 10**18)], 3, (15, 5, 0, 0), (0, 0)),
    ],
)
def test_slash__held_settled_or_given_back__moves_the_stake_and_the_bounty_only_then(
    index: MarketIndex, after: list[Event], status: int, provider: tuple[int, ...], reporter: tuple[int, int]
) -> None:
    feed(index, founding() + HELD + [(9, event) for event in after], [10])
    with index.engine.connect() as connection:
        stakes = {row.account: row for row in connection.execute(select(stakes_table))}
        slash = connection.execute(select(slashes_table)).one()
    # 20 deposited, 5 asked back: what is asked back backs nothing, and no slash reaches it.
    taken = stakes[PROVIDERS[0]]
    assert (taken.active, taken.pending, taken.held, taken.slashed) == tuple(n * 10**18 for n in provider)
    paid = stakes.get(RENTER)
    assert (paid.bounties if paid else 0, paid.bounties_collected if paid else 0) == tuple(n * 10**18 for n in reporter)
    assert (slash.status, slash.held_until, slash.amount, slash.bounty) == (status, timestamp(90), 12 * 10**18, 10**18)
    assert slash.closed_at == (timestamp(9) if after else 0)
    assert stakes[VALIDATORS[0]].active == 10**21


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([], 0),
        ([(6, BondLimitSet(PROVIDERS[0], TOKEN, 864_000))], 864_000),
        (
            [(6, BondLimitSet(PROVIDERS[0], TOKEN, 864_000)), (7, BondCreditUsed(PROVIDERS[0], TOKEN, 1, 600, 9))],
            863_640,
        ),
        # Taken for 60 seconds of a day's limit, whatever that is by then; twelve of them are over with each block.
        (
            [
                (6, BondLimitSet(PROVIDERS[0], TOKEN, 864_000)),
                (7, BondCreditUsed(PROVIDERS[0], TOKEN, 1, 600, 9)),
                (8, BondLimitSet(PROVIDERS[0], TOKEN, 86_400)),
            ],
            86_400 - 36,
        ),
    ],
)
def test_bond_credit__used_and_limited__comes_back_evenly_in_a_day(
    index: MarketIndex, events: list[tuple[int, Event]], left: int
) -> None:
    filled: list[tuple[int, Event]] = [(5, BondCreditFilled(PROVIDERS[0], TOKEN, 10**7, 10**7))]
    feed(index, founding() + filled + events, [9])
    with index.engine.connect() as connection:
        (credit,) = many(connection, select(credits_table))
    assert left_of_limit(credit, timestamp(9)) == left
    assert left_of_limit(credit, timestamp(9) + DAY_S) == credit["per_day"]
