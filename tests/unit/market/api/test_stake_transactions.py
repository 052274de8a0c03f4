"""What wallets are given to sign about stake and seats: their own account's, in base units, and only amounts."""

from __future__ import annotations

from typing import Any

import pytest

from assay.market.follow.index import MarketIndex
from tests.unit.market.scenario import PROVIDERS, account

from .test_transactions import client_of, steps

WHO = PROVIDERS[0]
MANAGER, TOKEN = account("StakeManager"), account("NetworkToken")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"stake?account={WHO}&amount=2.5", [
            (TOKEN, "approve", MANAGER, 25 * 10**17), ("StakeManager", "deposit", WHO, 25 * 10**17),
        ]),
        (f"unstake?account={WHO}&amount=0.000000000000000001", [("StakeManager", "requestWithdrawal", 1)]),
        (f"keep-stake?account={WHO}", [("StakeManager", "cancelWithdrawal")]),
        (f"withdraw-stake?account={WHO}", [("StakeManager", "withdraw", WHO)]),
        (f"bounty?account={WHO}", [("StakeManager", "collectBounty", WHO)]),
        (f"raise-seat?account={WHO}&amount=100", [("ValidatorSet", "raiseStake", 10**20)]),
        (f"leave-seat?account={WHO}", [("ValidatorSet", "leave")]),
        (f"release-seat?account={WHO}", [("ValidatorSet", "releaseStake", WHO)]),
    ],
)  # fmt: skip
def test_stake__asked_for__is_one_call_of_each_contract_for_who_asks(
    index: MarketIndex, path: str, expected: list[Any]
) -> None:
    assert steps(client_of(index, 5), path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "stake?amount=1",  # of nobody
        f"stake?account={WHO}",
        f"stake?account={WHO}&amount=0",
        f"stake?account={WHO}&amount=-1",
        f"stake?account={WHO}&amount=1e30",
        f"stake?account={WHO}&amount=NaN",
        f"stake?account={WHO}&amount=0.0000000000000000001",  # less than a base unit
        "withdraw-stake?account=0x12",
        "bounty",
    ],
)
def test_stake__of_nobody_or_no_amount__is_refused(index: MarketIndex, path: str) -> None:
    assert client_of(index, 5).get(f"/send/{path}").status_code == 422
