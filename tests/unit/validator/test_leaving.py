"""What an account that holds or held a seat can take out now, and what it waits for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.chain.contracts.stake import AccountStake
from assay.validator.chain.leaving import SeatStake, SeatStatus, withdrawal
from assay.validator.errors import ValidatorError

ACCOUNT, VAULT, NOW = "0x" + "11" * 20, "0x" + "22" * 20, 10_000
TOKEN = 10**18
SEATED = SeatStake(ACCOUNT, NOW, SeatStatus.SEATED, 40 * TOKEN, 0, 0, AccountStake(40 * TOKEN, 40 * TOKEN, 0, 0))
LEFT = replace(SEATED, status=SeatStatus.LEFT, left_from=7, releasable_at=NOW)


def calls(found: SeatStake, amount: int | None = None) -> list[tuple[Any, ...]]:
    return [(call.function, *call.args) for call in withdrawal(found, VAULT, amount).calls]


def test_withdrawal__seat_has_left_and_cannot_be_proven_against__is_released_and_asked_back() -> None:
    assert calls(LEFT) == [("releaseStake", ACCOUNT), ("requestWithdrawal", 40 * TOKEN)]
    assert calls(LEFT, 25)[-1] == ("requestWithdrawal", 25)


def test_withdrawal__seat_of_a_set_that_no_epoch_replaced__is_tried() -> None:
    assert calls(replace(LEFT, status=SeatStatus.LEAVING))[0] == ("releaseStake", ACCOUNT)


def test_withdrawal__unbonded__is_paid_to_the_receiver() -> None:
    assert calls(replace(SEATED, stake=AccountStake(40, 40, 15, NOW))) == [("withdraw", VAULT)]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (SEATED, "40 network tokens back a seat: `assay validator leave`"),
        (replace(LEFT, releasable_at=NOW + 1), "has left can be proven against until 1970-01-01 02:46:41 UTC"),
        (replace(LEFT, status=SeatStatus.LEAVING, releasable_at=NOW + 1), "sits until epoch 7 at the earliest"),
        (replace(LEFT, behind_seat=0, stake=AccountStake(0, 0, 9, NOW + 1)), "unbonding until 1970-01-01 02:46:41"),
        (replace(SEATED, status=SeatStatus.NONE, behind_seat=0, stake=AccountStake(0, 0, 0, 0)), "nothing staked"),
    ],
)
def test_withdrawal__nothing_to_be_had__says_why_and_until_when(found: SeatStake, said: str) -> None:
    with pytest.raises(ValidatorError, match=said):
        withdrawal(found, VAULT)


def test_withdrawal__more_asked_than_is_free__is_refused_with_both() -> None:
    with pytest.raises(ValidatorError, match="50 network tokens asked for, 40 network tokens are free"):
        withdrawal(LEFT, VAULT, 50 * TOKEN)
    with pytest.raises(ValidatorError, match="one withdrawal at a time: 1 network tokens are unbonding"):
        withdrawal(replace(LEFT, stake=AccountStake(40, 40, TOKEN, NOW + 1)), VAULT, 1)


amounts = st.integers(0, 10**27)


@given(
    status=st.sampled_from(SeatStatus),
    seat=amounts,
    free=amounts,
    pending=amounts,
    unlock_at=st.integers(0, 2 * NOW),
    releasable_at=st.integers(0, 2 * NOW),
)
def test_withdrawal__any_standing__never_touches_what_still_backs_a_seat(
    status: SeatStatus, seat: int, free: int, pending: int, unlock_at: int, releasable_at: int
) -> None:
    stake = AccountStake(seat + free, seat, pending, unlock_at)
    found = SeatStake(ACCOUNT, NOW, status, seat, 7, releasable_at, stake)
    try:
        plan = withdrawal(found, VAULT)
    except ValidatorError:
        return
    assert plan.asked <= free + plan.released
    assert plan.released == 0 or (status in (SeatStatus.LEAVING, SeatStatus.LEFT) and releasable_at <= NOW)
    assert plan.paid in (0, pending) and (plan.paid == 0 or unlock_at <= NOW)
    assert plan.asked == 0 or pending == plan.paid  # the contract holds one request at a time
