"""`assay rewards` shows what is due and when, and sends only what was asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from assay.renter.money.rewards import Rewards

from .conftest import PROVIDER, TOKEN, WALLET, FakeRenter, FakeToken, Ran, rewards

Assay = Callable[..., Ran]


def test_show__table__has_amounts_in_tokens_and_says_when_the_rest_is_due(assay: Assay) -> None:
    ran = assay("rewards", "show")
    lines = {" ".join(line.split()) for line in ran.out.splitlines()}
    assert {"earned 5 USD", "claimed 1 USD", "due now 2.5 USD"} <= lines
    assert "due later 1.5 USD, from 1970-01-0" in ran.out.replace("  ", " ") or "1.5 USD, from 1970-01-0" in ran.out


def test_show__json__is_exact(assay: Assay, renter: FakeRenter) -> None:
    shown = json.loads(assay("rewards", "show", "--account", PROVIDER, "-o", "json").out)
    assert shown == {
        "account": WALLET,
        "earned": "5000000",
        "claimed": "1000000",
        "due": "2500000",
        "waiting": "1500000",
        "waitingUntil": 86_400,
        "epoch": 8,
    }
    assert renter.settings.account.lower() == PROVIDER and renter.asked("rewards") == [()]


def test_show__account_in_no_report__says_so_on_standard_error(assay: Assay, renter: FakeRenter) -> None:
    renter.earned = Rewards(WALLET, 0)
    ran = assay("rewards", "show", "-o", "json")
    assert ran.status == 0 and WALLET in ran.err
    shown = json.loads(ran.out)
    assert (shown["due"], shown["waitingUntil"], shown["epoch"]) == ("0", None, None)


def test_claim__without_a_terminal_or_yes__sends_nothing(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("rewards", "claim")
    assert ran.status == 7 and "Claim 2.5 USD" in ran.err
    assert renter.asked("claim_rewards") == []


def test_claim__confirmed__claims_what_was_shown(assay: Assay, renter: FakeRenter) -> None:
    shown = json.loads(assay("rewards", "claim", "--receiver", PROVIDER, "--yes", "-o", "json").out)
    assert (shown["claimed"], shown["baseUnits"], shown["receiver"].lower()) == ("2.5", "2500000", PROVIDER)
    assert [one["name"] for one in shown["transactions"]] == ["claim"]
    assert [one[0] for one in renter.asked("claim_rewards")] == [renter.earned]


def test_claim__dry_run__shows_the_calldata_and_sends_nothing(assay: Assay, renter: FakeRenter) -> None:
    shown = json.loads(assay("rewards", "claim", "--dry-run", "-o", "json").out)["transactions"]
    assert [(one["name"], one["calldata"]) for one in shown] == [("RewardsDistributor.claim", "0x0badcafe")]
    assert renter.asked("claim_rewards") == []


def test_claim__of_an_account_whose_key_is_elsewhere__is_of_that_account(assay: Assay, renter: FakeRenter) -> None:
    line = ("rewards", "claim", "--account", PROVIDER, "--dry-run", "-o", "json")
    assert [one["name"] for one in json.loads(assay(*line).out)["transactions"]] == ["RewardsDistributor.claim"]
    assert renter.settings.account.lower() == PROVIDER


@pytest.mark.parametrize("earned", [rewards(claimed=3_500_000), Rewards(WALLET, 0)])
def test_claim__nothing_due__ends_with_2_and_sends_nothing(assay: Assay, renter: FakeRenter, earned: Rewards) -> None:
    renter.earned = earned
    ran = assay("rewards", "claim", "--yes")
    assert ran.status == 2 and "nothing is due" in ran.err
    assert renter.asked("claim_rewards") == []


@pytest.mark.parametrize("line", ["rewards show --account me", "rewards claim --receiver 0x12 --yes"])
def test_rewards__bad_address__ends_with_2(assay: Assay, line: str) -> None:
    assert assay(*line.split()).status == 2


def test_provider_earnings__with_rewards__has_a_line_of_them_and_json_the_exact_sums(
    assay: Assay, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def reading(settings: Any) -> AsyncIterator[Any]:
        chain = SimpleNamespace(deployment=SimpleNamespace(address=lambda name: TOKEN))
        yield SimpleNamespace(chain=chain, provider=PROVIDER)

    async def earnings_of(chain: Any, provider: str) -> dict[str, Any]:
        return {"provider": provider, "payout": provider, "rent": {}, "bondCredit": {}, "stake": {"active": "5000000"}}

    async def find_rewards(chain: Any, account: str) -> Rewards:
        return rewards()

    monkeypatch.setattr("assay.provider.reading.reading", reading)
    monkeypatch.setattr("assay.provider.account.standing.earnings_of", earnings_of)
    monkeypatch.setattr("assay.renter.money.rewards.find_rewards", find_rewards)
    monkeypatch.setattr("assay.provider.account.standing.Erc20", FakeToken)
    monkeypatch.setattr("assay.cli.renter.reward_rows.Erc20", FakeToken)
    shown = " ".join(assay("provider", "earnings").out.split())
    assert "rewards, USD earned 5, claimed 1, due now 2.5, due later 1.5" in shown and "stake, USD active 5" in shown
    assert json.loads(assay("provider", "earnings", "-o", "json").out)["rewards"]["due"] == "2500000"
