"""The demo does what it shows: measured, cheated, slashed, leased, paid."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import DemoRun, Start, processes_of

EPOCH_TRANSACTIONS = {f"EpochOracle.{name}" for name in ("openEpoch", "seal", "draw", "report")}


def wait_for_child(folder: Path, name: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not (folder / "logs" / f"{name}.log").exists():
        assert time.monotonic() < deadline, f"{name} was not started"
        time.sleep(0.1)


def test_demo__on_a_local_chain__does_all_of_it(demo: DemoRun) -> None:
    assert demo.status == 0, demo.printed[-4000:]


def test_demo__ended__has_left_no_process(demo: DemoRun) -> None:
    assert processes_of(demo.folder) == []


def test_demo__devices__pass_unless_they_cheat(demo: DemoRun) -> None:
    flags = {device["provider"]: device["flags"] for device in demo.outcome["devices"]}
    cheat = demo.outcome["slash"]["provider"]
    assert "bad opening" in flags.pop(cheat)
    assert len(flags) == 2
    assert all(result == ["passed"] for result in flags.values())
    scores = {device["provider"]: device["scoreGops"] for device in demo.outcome["devices"]}
    assert all(scores[provider] > 0 for provider in flags)


def test_demo__epoch__took_its_four_transactions(demo: DemoRun) -> None:
    names = {transaction["name"] for transaction in demo.outcome["transactions"]}
    assert names >= EPOCH_TRANSACTIONS
    assert all(transaction["gas"] > 21_000 for transaction in demo.outcome["transactions"])


def test_demo__slash__took_the_cheats_stake_and_nobody_elses(demo: DemoRun) -> None:
    slash = demo.outcome["slash"]
    changes = {stake["name"]: stake["after"] - stake["before"] for stake in demo.outcome["stakes"]}
    assert slash["amount"] > 0
    assert changes.pop(slash["provider"]) == -slash["amount"]
    assert set(changes.values()) == {0}
    assert slash["bounty"] * 10 <= slash["amount"]
    proof = [t for t in demo.outcome["transactions"] if t["tx"] == slash["tx"]]
    assert [t["name"] for t in proof] == ["FraudProofs.proveWrongElement"]


def test_demo__lease__was_paid_by_the_second_and_conserves_money(demo: DemoRun) -> None:
    lease = demo.outcome["lease"]
    assert lease["streamed"] == lease["rate"] * lease["seconds"] // 10**18
    assert lease["claimed"] + lease["fee"] + lease["refunded"] == lease["deposit"]
    assert lease["claimed"] + lease["fee"] == lease["streamed"]
    assert lease["jobStatus"] == 0
    assert lease["jobOutput"].strip()


def test_demo__beside_another_in_the_same_folder__is_refused(tmp_path: Path, start_demo: Start) -> None:
    first = start_demo(tmp_path)
    wait_for_child(tmp_path, "anvil")
    second = start_demo(tmp_path)
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another network is running" in output
    assert first.poll() is None


def test_demo__with_a_port_in_use__says_which(tmp_path: Path, start_demo: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_demo(tmp_path, "--port", str(port))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port} is in use" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_demo__stopped_in_the_middle__ends_its_children(
    tmp_path: Path, start_demo: Start, number: signal.Signals
) -> None:
    process = start_demo(tmp_path)
    wait_for_child(tmp_path, "validator-1")
    os.kill(process.pid, number)
    process.wait(60)
    deadline = time.monotonic() + 20
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
        time.sleep(0.2)
    assert process.returncode != 0
