"""The demo's outcome as JSON and as rows of gas."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from assay.devnet.demo.lease import _check
from assay.devnet.demo.outcome import DemoOutcome, DeviceResult, LeaseResult, SlashResult, StakeChange
from assay.devnet.demo.tables import amount, print_outcome
from assay.devnet.errors import DevnetError
from assay.devnet.ledger import TransactionRecord
from assay.devnet.market_pages import MarketPages
from assay.devnet.network import Network, NetworkPlan


def transaction(function: str, gas: int, succeeded: bool = True) -> TransactionRecord:
    return TransactionRecord(1, "0x01", "EpochOracle", function, gas, succeeded)


def lease(**changes: Any) -> LeaseResult:
    right = LeaseResult(
        lease_id=1, devices=2, provider="south", operator="south-host", paid_to="south-vault", token="tUSD", decimals=6,
        rate=10, seconds=20, deposit=100, streamed=60, claimed=50, fee=1, refunded=40, bond=7, bond_returned=7,
        job_status=0, job_output="hello",
    )  # fmt: skip
    return replace(right, **changes)


def outcome(transactions: list[TransactionRecord]) -> DemoOutcome:
    return DemoOutcome(
        epoch=3,
        devices=[DeviceResult("0xaa", "honest", "0x01", ["passed"], 12, 10_000)],
        transactions=transactions,
        stakes=[StakeChange("cheat", "0x02", 5, 1, 0)],
        slash=SlashResult("cheat", "0x02", "0xbb", "wrong element", {"t": 0}, 4, 30, 1, 3, "watcher", "0xcc"),
        lease=lease(),
        pages=MarketPages("http://m/", "http://m/devices/0xbb", "http://m/transactions/0xcc", "http://m/leases/1"),
        wall_seconds=61.24,
    )


def test_gas__of_several_transactions_of_one_name__gives_lowest_median_highest() -> None:
    rows = outcome([transaction("seal", gas) for gas in (30, 10, 20)]).gas()
    assert [(r.name, r.count, r.lowest, r.middle, r.highest) for r in rows] == [("EpochOracle.seal", 3, 10, 20, 30)]


def test_gas__of_a_failed_transaction__is_left_out() -> None:
    assert outcome([transaction("seal", 10, succeeded=False)]).gas() == []


def test_write__of_an_outcome__has_the_documented_keys(tmp_path: Path) -> None:
    path = tmp_path / "build" / "demo.json"
    outcome([transaction("seal", 10)]).write(path)
    written = json.loads(path.read_text())
    assert set(written) == {"epoch", "devices", "transactions", "stakes", "slash", "lease", "pages", "wallSeconds"}
    assert written["transactions"][0]["name"] == "EpochOracle.seal"
    assert {"provider", "amount", "heldSeconds", "bounty", "burned", "tx"} <= set(written["slash"])
    assert {"devices", "operator", "paidTo", "deposit", "streamed", "claimed", "bond"} <= set(written["lease"])
    assert written["wallSeconds"] == 61.2


def test_amount__of_base_units__is_decimal_with_thousands_separated() -> None:
    assert amount(1_234_567_890, 6) == "1,234.57"
    assert amount(-5, 6, 6) == "-0.000005"


def network(tmp_path: Path) -> Network:
    return Network(NetworkPlan(tmp_path), None, None, "http://c", {})  # type: ignore[arg-type]


def test_check__node_leased_through_the_operator__is_what_was_to_be_shown(tmp_path: Path) -> None:
    _check(network(tmp_path), lease())


@pytest.mark.parametrize(
    "change",
    [
        {"devices": 1},
        {"provider": "north"},
        {"operator": "0x" + "00" * 20},
        {"paid_to": "south"},
        {"paid_to": "south, south-vault"},
    ],
)
def test_check__lease_of_another_kind__is_no_success(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DevnetError, match=r"a node of 2, by .*-host, paid to .*-vault was to be leased"):
        _check(network(tmp_path), lease(**change))


def test_print_outcome__of_a_demo__says_who_was_paid_and_what_became_of_the_stake() -> None:
    out = StringIO()
    print_outcome(Console(file=out, width=200), outcome([transaction("seal", 10)]))
    text = " ".join(out.getvalue().split())
    assert "Lease 1, 2 devices of south, paid by the second in tUSD" in text
    assert "claimed by south-host for south-vault, after the fee" in text
    assert "bond paid back to south-vault" in text
    assert "after 30 s on hold" in text and "to watcher" in text
