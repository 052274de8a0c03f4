"""The demo's outcome as JSON and as rows of gas."""

from __future__ import annotations

import json
from pathlib import Path

from assay.devnet.ledger import TransactionRecord
from assay.devnet.market_pages import MarketPages
from assay.devnet.outcome import DemoOutcome, DeviceResult, LeaseResult, SlashResult, StakeChange
from assay.devnet.tables import amount


def transaction(function: str, gas: int, succeeded: bool = True) -> TransactionRecord:
    return TransactionRecord(1, "0x01", "EpochOracle", function, gas, succeeded)


def outcome(transactions: list[TransactionRecord]) -> DemoOutcome:
    return DemoOutcome(
        epoch=3,
        devices=[DeviceResult("0xaa", "honest", "0x01", ["passed"], 12, 10_000)],
        transactions=transactions,
        stakes=[StakeChange("cheat", "0x02", 5, 1, 0)],
        slash=SlashResult("cheat", "0x02", "0xbb", "WrongElement", {"t": 0}, 4, 1, "watcher", "0xcc"),
        lease=LeaseResult(1, "tUSD", 6, 10, 20, 100, 60, 50, 1, 40, 0, "hello"),
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
    assert {"provider", "amount", "tx"} <= set(written["slash"])
    assert {"deposit", "streamed", "claimed", "refunded"} <= set(written["lease"])
    assert written["wallSeconds"] == 61.2


def test_amount__of_base_units__is_decimal_with_thousands_separated() -> None:
    assert amount(1_234_567_890, 6) == "1,234.57"
    assert amount(-5, 6, 6) == "-0.000005"
