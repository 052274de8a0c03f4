"""What a provider can take out now, what it waits for, and what it is told to type next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.devices import DeviceStatus
from assay.chain.contracts.stake import AccountStake, releasable_from
from assay.protocol.epochs import Timing
from assay.provider.account.balance import Balance, DeviceStake, Gas, LeaseDue, TokenBalance, withdrawal
from assay.provider.account.next_steps import MIN_COIN, next_steps
from assay.provider.errors import Conflict

ACCOUNT, VAULT, TOKEN, NOW = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20, 10_000
ACTIVE = DeviceStake(bytes([1]) * 32, DeviceStatus.ACTIVE, 40, 0, False, 0, None)
RETIRED = DeviceStake(bytes([2]) * 32, DeviceStatus.RETIRED, 40, NOW, False, 0, None)
HELD = replace(RETIRED, free_from=NOW + 500)
GONE = replace(RETIRED, released=True)
NOTHING = Balance(
    ACCOUNT, VAULT, NOW, 700, 0, AccountStake(0, 0, 0, 0), (), (), (), (Gas(ACCOUNT, "provider", MIN_COIN),)
)


def balance(**changes: Any) -> Balance:
    return replace(NOTHING, **changes)


def calls(found: Balance, amount: int | None = None) -> list[tuple[Any, ...]]:
    return [(call.function, *call.args) for call in withdrawal(found, VAULT, amount).calls]


def test_withdrawal__retired_device_and_free_stake__is_released_and_all_of_it_asked_back() -> None:
    found = balance(stake=AccountStake(100, 80, 0, 0), devices=(ACTIVE, RETIRED))
    assert calls(found) == [("releaseStake", RETIRED.device_id), ("requestWithdrawal", 60)]
    assert calls(found, 25)[-1] == ("requestWithdrawal", 25)


def test_withdrawal__unbonded_and_more_free__pays_and_asks_for_the_rest() -> None:
    found = balance(stake=AccountStake(70, 40, 15, NOW), devices=(ACTIVE,))
    assert calls(found) == [("withdraw", VAULT), ("requestWithdrawal", 30)]


def test_withdrawal__leases_due__are_collected_first() -> None:
    due = (LeaseDue(7, TOKEN, 5, 0), LeaseDue(8, TOKEN, 0, 6))
    assert calls(balance(due=due)) == [("claim", 7, VAULT), ("returnBond", 8, VAULT)]


def test_withdrawal__something_unbonds_already__releases_and_asks_for_nothing_more() -> None:
    found = balance(stake=AccountStake(40, 40, 15, NOW + 1), devices=(RETIRED,))
    assert calls(found) == [("releaseStake", RETIRED.device_id)]
    with pytest.raises(
        Conflict, match=r"only one withdrawal at a time: 0\.0+15 network tokens are unbonding until 1970-"
    ):
        withdrawal(found, VAULT, 40)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "there is no stake"),
        ({"stake": AccountStake(40, 40, 0, 0), "devices": (ACTIVE,)}, "is active: `assay provider retire`"),
        ({"stake": AccountStake(40, 40, 0, 0), "devices": (HELD,)}, "disputed until 1970-01-01 02:55:00 UTC"),
        ({"stake": AccountStake(40, 40, 0, 0), "devices": (replace(RETIRED, demands=2),)}, "2 open demands"),
        ({"stake": AccountStake(0, 0, 15, NOW + 1)}, "unbonding until 1970-01-01 02:46:41 UTC"),
        ({"devices": (replace(ACTIVE, leased_until=NOW + 60),)}, "leased until 1970-01-01 02:47:40 UTC"),
    ],
)
def test_withdrawal__nothing_can_be_had__says_what_it_waits_for(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Conflict, match="nothing can be withdrawn now") as caught:
        withdrawal(balance(**changes), VAULT)
    assert said in str(caught.value)


def test_withdrawal__more_than_is_free__is_refused_with_what_is() -> None:
    with pytest.raises(Conflict, match=r"assay provider retire"):
        withdrawal(balance(stake=AccountStake(100, 80, 0, 0), devices=(ACTIVE,)), VAULT, 21)


def test_next_steps__on_the_way_out__each_in_its_turn() -> None:
    def typed(**changes: Any) -> list[tuple[str, int]]:
        return [(one.command, one.not_before) for one in next_steps(balance(**changes), 0)]

    out = "assay provider withdraw"
    assert typed(stake=AccountStake(40, 40, 0, 0), devices=(HELD,)) == [(out, HELD.free_from)]
    assert typed(stake=AccountStake(40, 40, 0, 0), devices=(RETIRED,)) == [(out, 0)]
    assert typed(stake=AccountStake(0, 0, 40, NOW + 9), devices=(GONE,)) == [(out, NOW + 9)]
    assert typed(stake=AccountStake(0, 0, 40, NOW), devices=(GONE,)) == [(out, 0)]
    assert typed(stake=AccountStake(40, 40, 0, 0), devices=(replace(RETIRED, demands=1),)) == [
        ("assay provider run", 0)
    ]
    assert typed(devices=(GONE,)) == []


def test_next_steps__rewards_gas_and_credit__are_named() -> None:
    token = TokenBalance(TOKEN, "USD", 6, 0, 0, 0, 5, 0, 0)
    poor = (Gas(ACCOUNT, "operator", MIN_COIN - 1),)
    steps = [one.command for one in next_steps(balance(tokens=(token,), gas=poor), 1)]
    assert ACCOUNT in steps[0]
    assert steps[1:] == ["assay provider rewards claim", f"assay provider credit drain all --token {TOKEN}"]
    # What active devices need for bonds stays.
    assert len(next_steps(balance(tokens=(token,), devices=(ACTIVE,)), 0)) == 0


def test_releasable_from__as_the_registry_counts__before_the_first_epoch_too() -> None:
    timing = Timing(1_000, 100, 5, 55, 65, 150, 1, 5_000)
    assert releasable_from(timing, 1_250) == 1_000 + 4 * 100 + 5_000
    assert releasable_from(timing, 999) == 1_000 + 2 * 100 + 5_000
