"""A node of two devices as one lease: rented, used, given notice and gone dark, on the demo's network once its
story is over. Its host has an operator's key; the provider's own only sets terms and gives notice."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from assay.devnet.network import FEE_FLOORS
from assay.devnet.providers import NODE
from assay.protocol.rates import streamed
from tests.end_to_end.conftest import Demo, Ran, Shell, process_of_provider, until

SOUTH = "south"
OFFER_SECONDS, RENT_SECONDS, RETENTION_S = 120.0, 150.0, 200.0
MINIMUM, NOTICE = 1_800, 600  # seconds
PRICE = "0.6"  # an hour: two bonds of half an hour are within what the operator may take in a day


@dataclass(frozen=True)
class Node:
    """The provider's side of the node; `listing` is how a search shows it."""

    demo: Demo
    shell: Shell
    address: str
    listing: dict[str, Any]

    def rent(self) -> Ran:
        line = ("rent", self.listing["shortId"], "--gpus", "2", "--duration", "40m", "--yes", "-o", "json")
        return self.shell(*line, timeout=RENT_SECONDS)

    @contextmanager
    def dark(self) -> Iterator[None]:
        """Its daemon stopped in mid-work."""
        process = process_of_provider(self.demo, self.listing["endpoint"])
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)


def as_provider(demo: Demo, shell: Shell, *arguments: str) -> None:
    """An `assay provider` command by the provider's own key."""
    keys = demo.folder / "keys"
    where = ("--rpc", demo.rpc, "--deployment", str(demo.folder / "deployment.json"))
    who = ("--data-dir", str(demo.folder / "data" / SOUTH), "--key-file", str(keys / f"{SOUTH}.json"))
    done = subprocess.run(
        ["assay", "provider", *arguments, *where, *who],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        timeout=90,
        env={**shell.environment, "ASSAY_PASSWORD_FILE": str(keys / "password")},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def node(demo: Demo, shell: Shell) -> Node:
    """The story's own node, on offer again: for half an hour at least, and reclaimed by notice."""
    assert demo.outcome["lease"]["provider"] == SOUTH
    address = "0x" + str(json.loads((demo.folder / "keys" / f"{SOUTH}.json").read_text())["address"]).removeprefix("0x")

    def offered(*filters: str) -> Any:
        demo.check()
        ran = shell("search", "--provider", address, "--gpus", "2", *filters, "-o", "json")
        return ran.json["devices"] if ran.status == 0 else []

    (before,) = until("the node on offer again", offered, OFFER_SECONDS)
    token = json.loads((demo.folder / "deployment.json").read_text())["contracts"]["TestToken"]["address"]
    terms = ("--min-duration", str(MINIMUM), "--notice", str(NOTICE), "--token", token)
    as_provider(demo, shell, "node", "set", NODE, PRICE, *before["deviceIds"], *terms)
    found = until("its new terms", lambda: [o for o in offered() if o["minDuration"] == MINIMUM], OFFER_SECONDS)
    return Node(demo, shell, address, found[0])


@pytest.fixture(scope="module")
def rented(node: Node) -> Ran:
    return node.rent()


def shown(shell: Shell, lease: str) -> Any:
    return shell("lease", "show", lease, "-o", "json").json


def test_search__offer_that_can_be_reclaimed__is_left_out_of_firm_ones(node: Node, shell: Shell) -> None:
    assert (node.listing["gpus"], node.listing["notice"]) == (2, NOTICE)
    of_south = ("search", "--provider", node.address, "-o", "json")
    assert shell(*of_south, "--firm").json["devices"] == shell(*of_south, "--gpus", "3+").json["devices"] == []


def test_rent__node__is_one_lease_of_both_devices_proven_at_once(node: Node, rented: Ran, shell: Shell) -> None:
    assert rented.status == 0, rented.err
    assert "all 2 devices proved themselves" in rented.err
    assert rented.json["deviceIds"] == node.listing["deviceIds"] and len(node.listing["deviceIds"]) == 2
    number = str(rented.json["leaseId"])
    lease = shown(shell, number)
    assert (lease["state"], lease["gpus"], lease["notice"]) == ("active", 2, NOTICE)
    assert lease["deviceIds"] == node.listing["deviceIds"]
    # Taken together: neither is on offer any more.
    assert shell("search", "--provider", node.address, "-o", "json").json["devices"] == []
    ran = shell("run", number, "--", "python3", "-c", "print(6 * 7)")
    assert (ran.status, ran.out) == (0, "42\n"), ran.err


def test_end__bound_to_the_minimum__says_what_it_costs_until_notice_makes_it_free(
    demo: Demo, rented: Ran, shell: Shell
) -> None:
    number = str(rented.json["leaseId"])
    asked = shell("end", number)
    assert asked.status == 7 and "more is paid" in asked.err
    as_provider(demo, shell, "notice", number, "--yes")

    def noticed() -> Any:
        lease = shown(shell, number)
        return lease if lease["noticeAt"] else None

    lease = until("the notice", noticed, 60)
    assert (lease["state"], lease["leavingFree"]) == ("notice given", "the provider has given notice")
    assert lease["providerFreeFrom"] == lease["noticeAt"] + NOTICE
    asked = shell("end", number)
    assert asked.status == 7 and "costs nothing more" in asked.err


def test_keep__node_falls_silent_after_notice__leaves_for_nothing_and_collects_its_downtime(
    node: Node, rented: Ran, shell: Shell
) -> None:
    number = str(rented.json["leaseId"])
    # On a slow machine reports attest more downtime than the escrow allows before the patience is over.
    reasons = ("devices ", "its devices were down for longer")
    with node.dark():
        kept = shell("keep", number, "--patience", "20s", "--every", "1", timeout=RETENTION_S)
    assert kept.status == 6, kept.err
    assert "may end it from" in kept.err, kept.err
    assert any(f"ending lease {number}: {why}" in kept.err for why in reasons), kept.err
    lease = shown(shell, number)
    units = {name: int(value) for name, value in lease["baseUnits"].items()}
    assert (lease["status"], lease["leftEarly"], units["forfeited"]) == ("ended", False, 0)
    # Not a second of the minimum beyond the end is paid, and what reports attest of the silence comes back.
    assert units["deposit"] - units["streamed"] + units["downtimeRefund"] == units["refunded"]
    assert lease["downtime"] > 0 and "of downtime, credited" in kept.err


def in_units(amount: str | None, decimals: int) -> int:
    return int(Decimal(amount or "0") * 10**decimals)


def transaction(rpc: str, number: str) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionReceipt", "params": [number]}
    return dict(httpx2.post(rpc, json=body, trust_env=False).json()["result"])


def receipt(shell: Shell, number: str) -> Any:
    return shell("leases", number, "--receipt", "-o", "json").json


def check_bill(node: Node, shell: Shell, number: str, bill: Any) -> None:
    """Every figure of the bill of a lease that is over, had downtime and is paid back, against the chain."""
    lease = shown(shell, number)
    units = {name: int(value) for name, value in bill["baseUnits"].items()}
    seconds, rate = lease["stop"] - lease["start"], int(lease["rate"])
    assert (bill["leaseId"], bill["status"], bill["seconds"]) == (int(number), "ended", seconds) and seconds > 0
    # Seconds times the rate is the stream; downtime that came back, by its seconds, leaves the net.
    assert units["streamed"] == streamed(rate, seconds)
    lines: dict[str, list[int]] = {}
    for one in bill["transactions"]:
        lines.setdefault(one["what"], []).append(in_units(one["amount"], bill["decimals"]))
    credits = lines["downtime credited"]
    assert bill["downtime"] == lease["downtime"] > 0
    assert 0 <= streamed(rate, bill["downtime"]) - units["downtimeRefund"] <= len(credits)
    assert units["downtimeRefund"] == sum(credits)
    assert units["net"] == units["streamed"] - units["downtimeRefund"]
    # What went in has come back or is the net; nothing is left in the escrow.
    assert sum(lines["deposit paid in"]) == units["deposit"] == units["net"] + sum(lines["paid back to the renter"])
    assert units["refunded"] == sum(lines["paid back to the renter"]) and units["refundable"] == 0
    # The network's fee of all claims so far together: its share, rounded up, or its floor.
    floor = next(int(str(one["feeFloor"])) for one in FEE_FLOORS if one["token"] == "TestToken")
    share = -(-units["claimed"] * bill["feeBps"] // 10_000)
    assert units["fee"] == min(max(share, floor), units["claimed"]) and units["claimed"] <= units["net"]
    assert sum(lines.get("paid to the provider", [])) == units["claimed"] - units["fee"]
    for one in bill["transactions"]:
        mined = transaction(node.demo.rpc, one["transaction"])
        assert (int(mined["status"], 16), int(mined["blockNumber"], 16)) == (1, one["block"]), one
    # The same in the other forms, but for what the provider may have claimed since.
    again = ("leases", number, "--receipt")
    rows = list(csv.DictReader(io.StringIO(shell(*again, "-o", "csv").out)))
    hashes = [one["transaction"] for one in bill["transactions"]]
    assert [row["transaction"] for row in rows if row["transaction"]][: len(hashes)] == hashes
    sums = {row["what"].removeprefix("sum: "): in_units(row["amount"], bill["decimals"]) for row in rows}
    moving = set() if units["claimed"] == units["net"] else {"claimed", "fee"}
    assert {name: sums[name] for name in units if name not in moving} == {
        name: value for name, value in units.items() if name not in moving
    }
    table = shell(*again).out
    told = (f"{seconds} s", f"{bill['net']} {bill['symbol']}", f"-{bill['downtimeRefund']} {bill['symbol']}")
    assert all(text in table for text in told), table
    # And what ending it told of it: paid is the net.
    assert int(lease["baseUnits"]["streamed"]) - int(lease["baseUnits"]["downtimeRefund"]) == units["net"]


def test_receipt__of_a_lease_with_downtime__adds_up_and_each_transaction_is_on_the_chain(
    node: Node, rented: Ran, shell: Shell
) -> None:
    number = str(rented.json["leaseId"])
    check_bill(node, shell, number, receipt(shell, number))


@pytest.mark.deep
def test_keep__dark_right_after_the_start__loses_no_more_than_the_escrow_allows(node: Node, shell: Shell) -> None:
    again = node.rent()
    number = str(again.json["leaseId"])
    with node.dark():
        kept = shell("keep", number, "--patience", "10s", "--every", "2", timeout=2 * RETENTION_S)
    assert kept.status == 6, kept.err
    assert "leaving now would cost" in kept.err and "down for longer than the escrow allows" in kept.err
    lease = shown(shell, number)
    units = {name: int(value) for name, value in lease["baseUnits"].items()}
    epoch = json.loads((node.demo.folder / "parameters.yml").read_text())["epochs"]["epochLength"]
    # Of a minimum of half an hour: what no report can attest, the time before the silence and an epoch at the most.
    lost = units["deposit"] - units["refunded"]
    assert lost * 10**18 <= int(lease["rate"]) * (lease["maxDowntime"] + 2 * epoch)
    assert lease["stop"] < lease["start"] + MINIMUM and lease["downtime"] > lease["maxDowntime"]
    assert units["forfeitable"] > 0 == units["forfeited"]

    def claimed() -> Any:
        bill = receipt(shell, number)
        return bill if bill["baseUnits"]["claimed"] == bill["baseUnits"]["net"] else None

    check_bill(node, shell, number, until("the provider's claim", claimed, 2 * RETENTION_S))
