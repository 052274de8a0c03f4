"""The demo does what it shows: measured, cheated, slashed, leased, paid."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

from tests.end_to_end.conftest import Demo, Shell, processes_of, until

EPOCH_TRANSACTIONS = {f"EpochOracle.{name}" for name in ("openEpoch", "seal", "draw", "report")}


def test_demo__devices__pass_unless_they_cheat(demo: Demo) -> None:
    cheat = demo.outcome["slash"]["deviceId"]
    devices = {device["deviceId"]: device for device in demo.outcome["devices"]}
    assert "bad opening" in devices.pop(cheat)["flags"]
    # Other tests may have put up more devices on the demo's network by now.
    passed = Counter(d["provider"] for d in devices.values() if d["flags"] == ["passed"] and d["scoreGops"] > 0)
    assert passed >= Counter({"north": 1, "south": 2})
    assert not any("bad opening" in device["flags"] for device in devices.values())


def test_demo__epoch__took_its_four_transactions(demo: Demo) -> None:
    names = {transaction["name"] for transaction in demo.outcome["transactions"]}
    assert names >= EPOCH_TRANSACTIONS
    assert all(transaction["gas"] > 21_000 for transaction in demo.outcome["transactions"])


def test_demo__slash__took_the_cheats_stake_and_nobody_elses(demo: Demo) -> None:
    slash = demo.outcome["slash"]
    changes = {stake["name"]: stake["after"] - stake["before"] for stake in demo.outcome["stakes"]}
    assert slash["amount"] > 0
    assert changes.pop(slash["provider"]) == -slash["amount"]
    assert set(changes.values()) == {0}
    assert slash["bounty"] * 10 <= slash["amount"]
    assert slash["bounty"] + slash["burned"] == slash["amount"]
    assert slash["heldSeconds"] == 30
    proof = [t for t in demo.outcome["transactions"] if t["tx"] == slash["tx"]]
    assert [t["name"] for t in proof] == ["FraudProofs.proveWrongElement"]


def test_demo__lease__was_paid_by_the_second_and_conserves_money(demo: Demo) -> None:
    lease = demo.outcome["lease"]
    assert lease["streamed"] == lease["rate"] * lease["seconds"] // 10**18
    assert lease["claimed"] + lease["fee"] + lease["refunded"] == lease["deposit"]
    assert lease["claimed"] + lease["fee"] == lease["streamed"]
    assert lease["jobStatus"] == 0
    assert lease["jobOutput"].strip()


def test_demo__lease__of_a_whole_node_by_an_operator__paid_where_its_key_has_no_reach(demo: Demo) -> None:
    lease = demo.outcome["lease"]
    assert (lease["devices"], lease["provider"]) == (2, "south")
    assert (lease["operator"], lease["paidTo"]) == ("south-host", "south-vault")
    assert lease["bond"] == lease["bondReturned"] > 0
    names = {transaction["name"] for transaction in demo.outcome["transactions"]}
    assert names >= {"DeviceRegistry.setOperator", "DeviceRegistry.setPayout", "LeaseEscrow.fillBondCredit"}


def test_demo__story_over__says_so(demo: Demo) -> None:
    assert demo.outcome["wallSeconds"] > 0
    assert "all of it happened" in " ".join((demo.folder / "printed").read_text().split())


def test_demo__epochs_reported__everybody_who_worked_has_earned_and_the_cheat_has_not(demo: Demo) -> None:
    earned = {stake["name"]: stake["earned"] for stake in demo.outcome["stakes"]}
    assert earned.pop(demo.outcome["slash"]["provider"]) == 0
    assert len(earned) == 6 and all(sums > 0 for sums in earned.values())


def test_rewards__of_a_validator__are_shown_and_claimed_by_its_newest_proof(demo: Demo, shell: Shell) -> None:
    assert demo.outcome
    account = ("--key-file", str(demo.folder / "keys/validator-1.json"))

    def claimable() -> Any:
        found = shell("rewards", "show", *account, "-o", "json").json
        return found if int(found["due"]) else None

    found = until("a report older than the claim delay", claimable, 90)
    planned = shell("rewards", "claim", *account, "--dry-run", "-o", "json").json["transactions"]
    assert [one["name"] for one in planned] == ["RewardsDistributor.claim"]
    claimed = shell("rewards", "claim", *account, "--yes", "-o", "json").json
    assert int(claimed["baseUnits"]) >= int(found["due"]) > 0
    after = shell("rewards", "show", *account, "-o", "json").json
    assert int(after["claimed"]) == int(found["claimed"]) + int(claimed["baseUnits"])
    stranger = shell("rewards", "claim", "--yes")
    assert stranger.status == 2 and "nothing is due" in stranger.err


def test_demo__network_killed_outright__leaves_no_process(demo: Demo) -> None:
    assert demo.outcome
    assert any("validator" in line for line in processes_of(demo.folder))
    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait(60)
    until("the end of its children", lambda: not processes_of(demo.folder), 20)
