"""A renter's leases on the command line: what they cost to leave, their downtime, who keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assay.chain.contracts.leases import LeaseStatus
from assay.renter.errors import ProofRejected, Unreachable
from assay.renter.lease.checking import Checked
from assay.renter.lease.downtime import DowntimeFound
from assay.renter.lease.keeping import Move
from assay.renter.lease.proving import ProofPolicy
from assay.renter.money.wallet import Done
from assay.sheet.shortfall import CheckLine

from .conftest import MAX_DOWNTIME, NOW, PROVIDER, FakeRenter, Ran, downtime, listing, offer_of

Assay = Callable[..., Ran]
DEVICE = "0x" + "01" * 32


def test_refund__attested_downtime__is_claimed_first_and_shown(assay: Assay, renter: FakeRenter) -> None:
    renter.down = DowntimeFound((downtime(4), downtime(6)), missing=((5, bytes([2]) * 32),), pending=(8,))
    ran = assay("refund", "7", "-o", "json")
    shown = json.loads(ran.out)
    assert [name for name, _ in renter.calls if name.startswith("refund")] == ["refund_downtime", "refund"]
    assert [(one["epoch"], one["deviceId"], one["seconds"], one["amount"]) for one in shown["downtime"]] == [
        (number, DEVICE, 900, "0.9") for number in (4, 6)
    ]
    assert [one["name"] for one in shown["transactions"]] == ["refundDowntime", "refundDowntime", "refund"]
    assert "epoch 5: nobody serves the line of device 0x0202" in ran.err and "not reported yet: epoch 8" in ran.err


def test_refund__an_epoch_with_a_line_missing__is_held_back_and_says_until_when(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.down = DowntimeFound((downtime(6),), (downtime(4),), ((4, bytes([2]) * 32),))
    ran = assay("refund", "7", "-o", "json")
    assert [one["epoch"] for one in json.loads(ran.out)["downtime"]] == [6]
    assert "epoch 4: 900 s of downtime held back" in ran.err and "1970-01-0" in ran.err and "--with-held" in ran.err
    all_of_it = json.loads(assay("refund", "7", "--with-held", "-o", "json").out)
    assert [one["epoch"] for one in all_of_it["downtime"]] == [4, 6]


def test_refund__what_the_escrow_refuses__is_told_with_its_reason(assay: Assay, renter: FakeRenter) -> None:
    renter.down = DowntimeFound(refused=((4, "LeaseEscrow_DowntimeTooOld"),))
    assert "epoch 4: the escrow takes no downtime: LeaseEscrow_DowntimeTooOld" in assay("refund", "7").err


def test_refund__by_whom_the_renter_has_named__submits_downtime_and_collects_nothing(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.a_lease, renter.down = replace(renter.a_lease, renter=PROVIDER), DowntimeFound((downtime(4),))
    shown = json.loads(assay("refund", "7", "-o", "json").out)
    assert ([one["name"] for one in shown["transactions"]], shown["refunded"]) == (["refundDowntime"], "0")
    assert renter.asked("refund") == []
    renter.down = DowntimeFound()
    ran = assay("refund", "7")
    assert ran.status == 2 and "no downtime of" in ran.err


def test_refund__no_downtime_wanted__claims_none(assay: Assay, renter: FakeRenter) -> None:
    renter.down = DowntimeFound((downtime(4),))
    assert json.loads(assay("refund", "7", "--no-downtime", "-o", "json").out)["downtime"] == []
    assert renter.asked("refund_downtime") == []


def test_refund__table__has_a_line_for_each_epoch_without_braces(assay: Assay, renter: FakeRenter) -> None:
    renter.down = DowntimeFound((downtime(4), downtime(6)))
    out = assay("refund", "7").out
    assert f"epoch 4, deviceId {DEVICE}, seconds 900, amount 0.9" in out and "epoch 6" in out and "{" not in out


@pytest.mark.parametrize(("line", "after"), [("refund 7", ["refund"]), ("end 7", ["end", "refund"])])
def test_dry_run__attested_downtime__shows_its_calldata_before_the_rest(
    assay: Assay, renter: FakeRenter, line: str, after: list[str]
) -> None:
    renter.down = DowntimeFound((downtime(4), downtime(6)))
    shown = json.loads(assay(*line.split(), "--dry-run", "-o", "json").out)["transactions"]
    names = [one["name"].removeprefix("LeaseEscrow.") for one in shown]
    assert names == ["refundDowntime", "refundDowntime", *after]
    assert renter.asked("refund_downtime") == []


BOUND = {"start": NOW - 600, "min_duration": 3_600}


def test_end__before_the_minimum__asks_with_what_it_costs_and_when_it_is_free(assay: Assay, renter: FakeRenter) -> None:
    renter.a_lease = replace(renter.a_lease, **BOUND)
    asked = assay("end", "7")
    assert asked.status == 7
    assert "3 USD more is paid" in asked.err and "after 7201 s more of attested downtime" in asked.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"notice_at": NOW - 5}, "given notice"), ({"downtime": MAX_DOWNTIME + 1}, "down for longer")],
)
def test_end__free_before_the_minimum__says_why(
    assay: Assay, renter: FakeRenter, changes: dict[str, int], said: str
) -> None:
    renter.a_lease = replace(renter.a_lease, **BOUND, **changes)
    asked = assay("end", "7")
    assert asked.status == 7 and "costs nothing more" in asked.err and said in asked.err


def test_end__downtime_that_is_claimed_first_frees_it__asks_for_no_more_money(assay: Assay, renter: FakeRenter) -> None:
    renter.a_lease = replace(renter.a_lease, **BOUND, downtime=MAX_DOWNTIME - 899)
    renter.down = DowntimeFound((downtime(4),))
    asked = assay("end", "7")
    assert asked.status == 7 and "costs nothing more" in asked.err and "more is paid" not in asked.err
    assert assay("end", "7", "--yes").status == 0
    assert [name for name, _ in renter.calls if name in ("refund_downtime", "end", "refund")] == [
        "refund_downtime",
        "end",
        "refund",
    ]


def test_end__that_leaves_early__says_that_the_minimum_goes_on_and_who_sees_to_it(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.a_lease = replace(renter.a_lease, **BOUND)
    left = replace(renter.a_lease, left_early=True, stop=NOW + 3_000)

    def ended(lease_id: int) -> Done:
        renter.a_lease = left
        return Done("end", "0xee", 50_000)

    renter.answers = {**renter.answers, "end": ended}
    ran = assay("end", "7", "--yes", "-o", "json")
    shown = json.loads(ran.out)
    assert (shown["leftEarly"], shown["stop"]) == (True, NOW + 3_000)
    assert "assay keep 7" in ran.err
    again = assay("end", "7", "--yes")
    assert again.status == 2 and "was left early" in again.err


def test_lease__with_notice_downtime_and_forfeits__shows_each(assay: Assay, renter: FakeRenter) -> None:
    renter.an_offer = offer_of(1, 2, notice=600)
    renter.a_lease = replace(
        renter.a_lease,
        **BOUND,
        notice=600,
        notice_at=NOW - 60,
        devices=2,
        downtime=900,
        downtime_refund=900_000,
        forfeitable=30_000,
    )
    shown = json.loads(assay("lease", "show", "7", "-o", "json").out)
    assert shown["deviceIds"] == [DEVICE, "0x" + "02" * 32] and shown["gpus"] == 2
    assert shown["pricePerHour"] == "3.60"
    assert (shown["state"], shown["providerFreeFrom"]) == ("notice given", NOW + 540)
    assert (shown["downtime"], shown["baseUnits"]["downtimeRefund"]) == (900, "900000")
    assert (shown["forfeitable"], shown["leavingFree"]) == ("0.03", "the provider has given notice")
    text = assay("lease", "show", "7").out
    assert DEVICE in text and "0x" + "02" * 32 in text and "the provider may end it from" in text
    assert "forfeited to the network" in text and "15m attested; beyond 2h" in text
    listed = json.loads(assay("leases", "-o", "json").out)["leases"][0]
    assert (listed["state"], listed["downtimeText"], listed["gpus"]) == ("notice given", "15m", 2)


@pytest.mark.parametrize(
    ("changes", "slashed", "state", "said"),
    [
        ({}, False, "active", "costs 3 USD more; free from"),
        ({"left_early": True}, False, "left early", "is paid already"),
        ({"stop": NOW}, False, "run out", "free: it is over"),
        ({}, True, "device slashed", "was slashed"),
        ({"status": LeaseStatus.PENDING, "start": 0, "stop": 0}, False, "pending", "it has not started"),
    ],
)
def test_lease__as_it_stands__says_what_leaving_costs(
    assay: Assay, renter: FakeRenter, changes: dict[str, Any], slashed: bool, state: str, said: str
) -> None:
    renter.a_lease = replace(renter.a_lease, **{**BOUND, **changes})
    renter.slashed = bytes([1]) * 32 if slashed else None
    assert json.loads(assay("lease", "show", "7", "-o", "json").out)["state"] == state
    assert said in assay("lease", "show", "7").out


def test_keep__lease_over__stays_for_its_last_downtime_unless_told_not_to(assay: Assay, renter: FakeRenter) -> None:
    renter.ends = Move.STOP
    assert assay("keep", "7").status == 0
    assert [name for name, _ in renter.calls if name in ("keep", "settle")] == ["keep", "settle"]
    renter.calls.clear()
    assert assay("keep", "7", "--no-settle").status == 0
    assert renter.asked("settle") == []


def test_keep__left_before_its_time__ends_with_6_once_all_is_collected(assay: Assay, renter: FakeRenter) -> None:
    renter.ends = Move.END
    ran = assay("keep", "7")
    assert ran.status == 6 and "left early" in ran.err and len(renter.asked("settle")) == 1


def test_keep__beside_a_job__does_not_end_it_for_downtime_of_the_past(assay: Assay, renter: FakeRenter) -> None:
    renter.ends = Move.STOP
    assay("keep", "7")
    assert renter.asked("keep")[0][1].leave_free
    renter.ends = None
    assay("run", "7", "--", "ls")
    assert not renter.asked("keep")[-1][1].leave_free


def test_keep__another_renters_lease__only_submits_its_downtime(assay: Assay, renter: FakeRenter) -> None:
    renter.a_lease = replace(renter.a_lease, renter=PROVIDER)
    ran = assay("keep", "7", "--every", "2")
    assert ran.status == 0 and "submitting the downtime" in ran.err
    assert renter.asked("settle")[0][:2] == (7, 2.0) and renter.asked("keep") == []
    assert renter.asked("settle")[0][3] == 100  # hundredths of a percent: less is not worth a transaction


def test_refunder__named_and_taken_back__asks_first_and_says_who(assay: Assay, renter: FakeRenter) -> None:
    assert assay("refunder", "add", PROVIDER).status == 7
    shown = json.loads(assay("refunder", "add", PROVIDER, "--yes", "-o", "json").out)
    assert (shown["agent"], shown["may"], shown["transactions"][0]["name"]) == (PROVIDER, True, "nameRefunder")
    assert not json.loads(assay("refunder", "remove", PROVIDER, "--yes", "-o", "json").out)["may"]
    assert renter.asked("name_refunder") == [(PROVIDER, True), (PROVIDER, False)]
    assert json.loads(assay("refunder", "list", "-o", "json").out) == {"refunders": [{"agent": PROVIDER}]}
    planned = json.loads(assay("refunder", "add", PROVIDER, "--dry-run", "-o", "json").out)["transactions"]
    assert [one["name"] for one in planned] == ["LeaseEscrow.nameRefunder"]


def checked(cores: int, unproven: str = "") -> Checked:
    lines = (
        CheckLine("hostCores", 64, cores, "", "declared", cores < 64),
        CheckLine("diskReadMbs", 6_000, None, "MB/s", "declared", False),
    )
    return Checked(7, lines, (), unproven)


def test_check__of_a_lease_that_is_short__says_in_what_and_ends_with_4(assay: Assay, renter: FakeRenter) -> None:
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(32)}
    ran = assay("check", "7")
    assert ran.status == 4 and "short of its sheet in hostCores" in ran.err
    assert "not measured" in ran.out
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(64)}
    ran = assay("check", "7", "-o", "json")
    assert ran.status == 0
    assert [line["result"] for line in json.loads(ran.out)["check"]] == ["ok", "not measured"]


def test_check__in_a_pod_that_cannot_prove__is_a_failure_only_where_it_must(assay: Assay, renter: FakeRenter) -> None:
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(64, "no pip here")}
    assert assay("check", "7").status == 0
    ran = assay("check", "7", "--prove")
    assert ran.status == 6 and "not proven: no pip here" in ran.err
    assert [how.prove for _, how in renter.asked("check")] == [True, True]
    assay("check", "7", "--no-prove", "--iperf3", "host:5201")
    assert [(how.prove, how.iperf) for _, how in renter.asked("check")][2:] == [(False, "host:5201")]


def test_check__to_be_published__is_signed_and_kept_also_where_it_is_short(assay: Assay, renter: FakeRenter) -> None:
    """Markets are there to hear of what is short."""
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(32)}
    ran = assay("check", "7", "--publish")
    assert ran.status == 4 and "published on the market" in ran.err and len(renter.asked("testify")) == 1


@pytest.mark.parametrize("server", ["host", "--version:1"])
def test_check__with_a_server_off_its_form__asks_nothing(assay: Assay, renter: FakeRenter, server: str) -> None:
    assert assay("check", "7", "--iperf3", server).status == 2 and not renter.asked("check")


def test_rent__with_a_check_that_finds_it_short__ends_it_and_collects_the_rest(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(32)}
    ran = assay("rent", "--yes", "--check")
    assert ran.status == 4 and renter.asked("end") == [(7,)] and renter.asked("refund") == [(7,)]


def test_rent__with_a_check_that_does_not_verify__ends_it(assay: Assay, renter: FakeRenter) -> None:
    renter.fails["check"] = ProofRejected("the proof does not verify")
    assert assay("rent", "--yes", "--check").status == 4 and renter.asked("end") == [(7,)]


@pytest.mark.parametrize("failure", [None, Unreachable("the image needs python3")])
def test_rent__with_a_check_that_finds_nothing_or_cannot_look__lets_it_run(
    assay: Assay, renter: FakeRenter, failure: Exception | None
) -> None:
    renter.answers = {**renter.answers, "check": lambda lease_id, how: checked(64)}
    if failure is not None:
        renter.fails["check"] = failure
    assert assay("rent", "--yes", "--check").status == 0 and not renter.asked("end")


def test_keep__with_proofs_again_and_again__hands_the_policy_on(assay: Assay, renter: FakeRenter) -> None:
    renter.ends = Move.STOP
    assert assay("keep", "7", "--prove-every", "1h", "--end-unproven").status == 0
    assert renter.asked("keep")[0][1].proving == ProofPolicy(3_600, end=True)
    assert assay("keep", "7", "--end-unproven").status == 2


def test_quote__of_a_node__asks_for_all_its_devices(assay: Assay, renter: FakeRenter) -> None:
    renter.found = [listing(1, 2), listing(1)]
    assert assay("quote", "0x010101", "--gpus", "2").status == 0
    assert renter.asked("quote")[0][0] == (bytes([1]) * 32, bytes([2]) * 32)
