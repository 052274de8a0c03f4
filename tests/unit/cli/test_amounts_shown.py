"""Amounts that commands show to people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from assay.renter.money.wallet import Done

from .conftest import WALLET, FakeRenter, FakeToken, Ran, rewards

Assay = Callable[..., Ran]
DEVICE = "0x" + "01" * 32


@pytest.mark.parametrize(
    "words",
    ["leases", "leases 7", "leases 7 --receipt", "lease show 7", "search", f"quote {DEVICE}", "wallet", "rewards show",
     "end 7 --yes", "refund 7 --yes", "top-up 7 --duration 7s --yes", f"rent {DEVICE} --duration 67s --yes"],
)  # fmt: skip
def test_amounts__of_a_token_of_18_digits__are_rounded_for_people_only(
    words: str, assay: Assay, renter: FakeRenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = 123_456_789_012_345_678

    async def decimals(self: FakeToken) -> int:
        return 18

    monkeypatch.setattr(FakeToken, "decimals", decimals)
    renter.a_lease = replace(renter.a_lease, deposit=odd, rate=odd * 10**14, refunded=odd, downtime_refund=odd)
    renter.a_receipt = replace(renter.a_receipt, lease=renter.a_lease, streamed=odd, refundable=odd, fees=odd)
    renter.found = [replace(one, rate=odd * 10**14, decimals=18) for one in renter.found]
    renter.answers = {
        **renter.answers,
        "refund": lambda lease_id, receiver=None: (odd, Done("refund", "0xef", 40_000)),
        "holdings": lambda tokens: {"coin": (odd, 18), "USD": (odd, 18)},
        "quote": lambda device_ids, seconds: replace(renter.found[0], renter=WALLET),
    }
    renter.earned = rewards(odd, 2 * odd, 3 * odd)
    ran = assay(*words.split())
    assert ran.status == 0, ran.err
    assert not re.search(r"\d\.0*[1-9]\d{6}", ran.out + ran.err), ran.out + ran.err
