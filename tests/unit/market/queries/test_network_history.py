"""The network over time: what streamed in which epoch, what a device cost, what was staked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.market.events.epoch_events import EpochOpened
from assay.market.events.stake_events import Deposited, SlashHeld, SlashRestored, WithdrawalRequested
from assay.market.follow.index import MarketIndex
from assay.market.queries.network_history import RentStream, median_rates, streamed, time_series
from assay.protocol.rates import RATE_UNIT
from tests.unit.market.scenario import PROVIDERS, batch, founding, h, timestamp

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
TIMES = st.integers(0, 400)
STREAMS = st.builds(
    lambda token, rate, start, length, devices: RentStream(token, rate * RATE_UNIT, start, start + length, devices),
    st.sampled_from([A, B]), st.integers(0, 50), TIMES, TIMES, st.integers(1, 4),
)  # fmt: skip


def stream(token: str, rate: int, start: int, stop: int, devices: int = 1) -> RentStream:
    return RentStream(token, rate * RATE_UNIT, start, stop, devices)


def test_streamed__leases_over_bounds_of_epochs__each_second_counts_in_its_own() -> None:
    paid = [stream(A, 3, 50, 120), stream(A, 1, 110, 9_999), stream(B, 7, 0, 90), stream(B, 2, 210, 220)]
    # Epochs from 100, from 200, and from 300 until now, 330.
    assert streamed(paid, [100, 200, 300], 330) == [{A: 3 * 20 + 90}, {A: 100, B: 20}, {A: 30}]


@given(st.lists(STREAMS, max_size=12), st.lists(TIMES, min_size=1, max_size=6, unique=True).map(sorted), TIMES)
def test_streamed__any_leases__is_what_each_paid_second_by_second(
    paid: list[RentStream], begins: list[int], end: int
) -> None:
    bounds = [*begins, max(end, begins[-1])]
    for n, found in enumerate(streamed(paid, begins, end)):
        for token in (A, B):
            seconds = range(bounds[n], bounds[n + 1])
            due = sum(one.rate for one in paid if one.token == token for s in seconds if one.start <= s < one.stop)
            assert found.get(token, 0) == due // RATE_UNIT


def test_median_rates__of_leases_that_began__are_of_one_device_and_of_each_token() -> None:
    paid = [stream(A, 8, 100, 101, devices=4), stream(A, 9, 150, 160), stream(A, 5, 199, 300), stream(B, 1, 50, 500)]
    assert median_rates(paid, [100, 200]) == [{A: 5 * RATE_UNIT}, {}]


def test_series__of_stake__is_what_was_staked_when_each_epoch_was_opened(index: MarketIndex) -> None:
    owner = PROVIDERS[0]
    changes = [
        Deposited(owner, owner, 500),
        WithdrawalRequested(owner, 200, 0),
        SlashHeld(1, owner, 100, 10, owner, 0),
        SlashRestored(1, owner, 100),
    ]
    epochs = [(block, EpochOpened(epoch, 1, h("beacon"), h("seed"))) for epoch, block in ((1, 6), (2, 20))]
    happened = [*epochs, *((8 + n, change) for n, change in enumerate(changes))]
    index.apply(batch([*founding(), *happened], 21, seats=True))
    with index.engine.connect() as connection:
        first, second = time_series(connection, timestamp(25))
    staked = sum(event.amount for _, event in founding() if isinstance(event, Deposited))
    assert (first["epoch"], first["staked"]) == (1, staked)
    assert (second["epoch"], second["staked"]) == (2, staked + 300)
    assert first["money"] == second["money"] == []
