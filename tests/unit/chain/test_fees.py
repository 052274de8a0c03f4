import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.broadcast import Refusal, classify
from assay.chain.fees import GWEI, FeePolicy, Fees

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


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        ("already known", Refusal.ALREADY_KNOWN),
        ("transaction already imported", Refusal.ALREADY_KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", Refusal.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 5", Refusal.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Refusal.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x", Refusal.UNDERPRICED),
        ("insufficient funds for gas * price + value", Refusal.FUNDS),
        ("Insufficient funds for gas * price + value", Refusal.FUNDS),
        ("txpool is full", Refusal.BUSY),
        ("intrinsic gas too low", Refusal.REFUSED),
        ("", Refusal.REFUSED),
    ],
)
def test_classify__words_of_nodes__meaning(message, refusal):
    assert classify(message) is refusal
