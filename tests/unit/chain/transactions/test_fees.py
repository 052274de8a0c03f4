from hypothesis import given
from hypothesis import strategies as st

from assay.chain.transactions.intents import GWEI, FeePolicy, Fees

WEI = st.integers(0, 10_000 * GWEI)


@given(WEI, WEI, st.integers(1, 1_000 * GWEI))
def test_first__any_prices__within_the_ceiling(base_fee, tip, ceiling):
    fees = FeePolicy(ceiling=ceiling).first(base_fee, tip)
    if base_fee > ceiling:
        assert fees is None
    else:
        assert 0 <= fees.tip <= fees.cap <= ceiling


@given(WEI, WEI, WEI, WEI, st.integers(1, 100_000 * GWEI))
def test_bump__any_offer__an_eighth_more_on_both_or_nothing(cap, tip, base_fee, suggested, ceiling):
    offered = Fees(max(cap, tip), tip)
    bumped = FeePolicy(ceiling=ceiling).bump(offered, base_fee, suggested)
    if bumped is not None:
        assert bumped.cap * 1000 >= offered.cap * 1125
        assert bumped.tip * 1000 >= offered.tip * 1125
        assert bumped.cap > offered.cap and bumped.tip > offered.tip
        assert bumped.tip <= bumped.cap <= ceiling


def test_first__chain_without_fees__offers_nothing():
    assert FeePolicy().first(0, 0) == Fees(0, 0)


def test_bump__chain_without_fees__only_where_a_node_asks_for_more():
    assert FeePolicy().bump(Fees(0, 0), 0, 0, asked=False) is None
    assert FeePolicy().bump(Fees(0, 0), 0, 0, asked=True) == Fees(1, 1)
    assert FeePolicy().bump(Fees(0, 0), GWEI, 0, asked=False) is not None
