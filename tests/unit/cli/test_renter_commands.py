"""The renter's commands: what they print, what they ask the library for, how they end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assay.chain.errors import BadDeployment, KeyFileError, UnreachableChain
from assay.renter import errors
from assay.renter.lease.steps import Step, StepName
from assay.renter.money.wallet import Minima
from assay.renter.session.provider_session import JobState
from assay.wire.limits import SMALL_FILE_BYTES

from .conftest import FakeRenter, Ran, listing

Assay = Callable[..., Ran]
DEVICE = "0x" + "01" * 32


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("search --max-price cheap", "--max-price 'cheap'"), ("search --max-price 0", "--max-price '0'"),
        ("search --min-value NaN", "'NaN'"), ("search --min-memory lots", "--min-memory 'lots'"),
        ("search --min-memory 24576", "such as 80"), ("search --min luck=1", "NAME=NUMBER"),
        ("search --min-proven-memory x", "--min-proven-memory"),
        ("search --max-rtt -3ms", "--max-rtt '-3ms'"), ("search --duration 1w", "'1w' is not a duration"),
        ("search --token 0x12", "--token"), ("search --provider you", "--provider"), ("search --sort beauty", "beauty"),
        ("search --min-uptime 101", "--min-uptime"),
        ("search --limit 0", "--limit"), ("search --market ftp://x", "market = 'ftp://x'"),
        ("quote 0x01 --duration x", "'x' is not a duration"), ("rent 0x01 --duration 0", "'0' is not a duration"),
        ("rent 0x01 --spread 2 --yes", "give only one"), ("rent --lease 0", "--lease"), ("lease show seven", "lease"),
        ("top-up 7", "give an amount"), ("top-up 7 1 --duration 1h", "give an amount"),
        ("top-up 7 0.0000001", "0.0000001"),
        ("top-up 7 -- -1", "-1"), ("end 0", "lease"), ("refund 7 --receiver me", "--receiver"),
        ("run 7", "COMMAND"), ("run 7 --env 1=2 -- ls", "'1=2'"), ("run 7 --max-time soon -- ls", "'soon'"),
        ("run 7 --upload /nonexistent -- ls", "/nonexistent"), ("run 7 --patience x -- ls", "'x' is not a duration"),
        ("cp a b", "exactly one side"), ("cp 7:a 8:b", "exactly one side"), ("cp 7:none .", "no such file on"),
        ("cp 7:run here", "copy it with -r"), ("keep 7 --auto-topup x --yes", "'x'"),
        ("export docker", "docker"), ("wallet --token x", "--token"),
        ("context use nowhere", "'nowhere': unknown"), ("context set ../x --rpc y", "'../x'"),
        ("context set x --market y", "market = 'y'"), ("search --context gone", "'gone': unknown"),
        ("search --gpus 0", "--gpus '0'"), ("search --gpus 17", "1 to 16"), ("rent --gpus many", "'many'"),
        ("rent 0x010101 --gpus 2+ --yes", "give the exact number"), ("quote 0x010101 --gpus 17", "--gpus"),
        ("rent 0x010101 --min-score 902 --yes", "--min-score 902: in epoch 7 the least of its devices showed 901"),
        ("rent 0x010101 --max-price 3.59 --yes", "--max-price 3.59: it is offered at 3.60 an hour"),
        ("rent 0x010101 --min-proven-memory 80GiB --yes", "--min-proven-memory 81920"), ("refunder add me", "ADDRESS"),
        ("frobnicate", "frobnicate"),
    ],
)  # fmt: skip
def test_command__bad_input__ends_with_2_and_names_the_value(assay: Assay, line: str, said: str) -> None:
    ran = assay(*line.split())
    assert (ran.status, ran.out) == (2, "")
    assert said.lower() in ran.err.lower()
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadInput("x"), 2), (errors.NoDevice("x"), 3), (errors.NoJob("x"), 3), (errors.ProofRejected("x"), 4),
        (errors.MarketWrong("x"), 4), (errors.ProviderRefused(409, "x"), 5), (errors.Unreachable("x"), 6),
        (errors.RenterDeclined("x"), 7), (UnreachableChain("http://u", "x"), 1), (BadDeployment("x"), 2),
        (KeyFileError("x"), 2),
        (OSError(28, "No space left on device", "/data"), 1),
    ],
)  # fmt: skip
def test_command__error__ends_with_its_status_and_one_line(
    assay: Assay, renter: FakeRenter, error: Exception, status: int
) -> None:
    renter.fails["search"] = error
    ran = assay("search")
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith("error: ") and ran.err.count("\n") == 1


def test_search__filters__reach_the_library(assay: Assay, renter: FakeRenter) -> None:
    line = (
        "search --model h100 --region eu --near eu-de --min-score 5 --min-value 2.5 --min-memory 24 "
        "--min-proven-memory 20GiB --min-expected 90 --min-uptime 99.5 --max-price 2 --max-rtt 0.03s --profile 2 "
        "--min cuda=12.4 --max diskReadMbs=9000 --duration 2h --sort latency --limit 9 --verify"
    )
    assert assay(*line.split()).status == 0
    wanted, order = renter.asked("search")[0]
    assert (wanted.model, wanted.region, wanted.near, wanted.min_score) == ("h100", "eu", "eu-de", 5)
    assert (wanted.min_value, wanted.min_memory_mib, wanted.min_uptime_bps) == (Decimal("2.5"), 20 * 1024, 9_950)
    assert (wanted.at_least, wanted.at_most) == ((("cuda", 1204),), (("diskReadMbs", 9_000),))
    assert (wanted.min_memory_gb, wanted.min_of_expected_bps) == (24, 9_000)
    assert (wanted.max_price, wanted.max_rtt_ms, wanted.profile, wanted.duration) == (Decimal(2), 30.0, 2, 7200)
    assert order == "latency"


def test_search__json__has_every_field(assay: Assay) -> None:
    devices = json.loads(assay("search", "-o", "json").out)["devices"]
    assert [one["deviceId"] for one in devices] == [DEVICE, "0x" + "02" * 32]
    first = devices[0]
    assert (first["model"], first["region"], first["memoryMiB"]) == ("NVIDIA H100 80GB", "eu-de-fra", 81_000)
    assert (first["pricePerHour"], first["roundTripMs"], first["checked"]) == ("3.60", 12.3, "yes")


def test_search__csv__is_read_back_by_a_csv_reader(assay: Assay) -> None:
    rows = list(csv.DictReader(io.StringIO(assay("search", "-o", "csv").out)))
    assert [row["deviceId"] for row in rows] == [DEVICE, "0x" + "02" * 32]
    assert rows[0]["model"] == "NVIDIA H100 80GB"


def test_search__csv_of_nothing__has_the_same_header(assay: Assay, renter: FakeRenter) -> None:
    header = assay("search", "-o", "csv").out.splitlines()[0]
    renter.found = []
    assert assay("search", "-o", "csv").out == header + "\n"


def test_search__output_from_the_environment__is_taken(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_OUTPUT", "csv")
    assert assay("search").out.startswith("deviceId,")


def test_search__table__fits_in_a_line_each_and_has_no_colour(assay: Assay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    lines = assay("search").out.splitlines()
    assert len(lines) == 3 and "\x1b" not in "".join(lines)
    assert lines[1].startswith("0x0101010101")


def test_search__brackets_in_what_a_provider_declares__are_printed_as_they_are(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.found = [replace(renter.found[0], model="[red]Card[/red]")]
    assert "[red]Card[/red]" in assay("search").out


def test_search__nothing_found__says_so_on_standard_error(assay: Assay, renter: FakeRenter) -> None:
    renter.found = []
    ran = assay("search", "-o", "json")
    assert (ran.status, json.loads(ran.out)) == (0, {"devices": []})
    assert "no offer matches" in ran.err


def test_search__a_market_that_lies__ends_with_4(assay: Assay, renter: FakeRenter) -> None:
    renter.found[1] = replace(renter.found[1], evidence=None, doubt="the report measured 5 gops")
    ran = assay("search", "--verify", "-o", "json")
    assert ran.status == 4
    assert [one["checked"] for one in json.loads(ran.out)["devices"]] == ["yes", "the report measured 5 gops"]
    assert "the report measured 5 gops" in ran.err


def test_search__watched_through_an_outage__says_so_and_looks_again(
    assay: Assay, renter: FakeRenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([renter.found[:1], errors.Unreachable("the market is gone"), renter.found, KeyboardInterrupt()])

    def search(*_: Any, **__: Any) -> Any:
        look = next(looks)
        if isinstance(look, BaseException):
            raise look
        return look

    renter.answers = {**renter.answers, "search": search}
    ran = assay("search", "--watch", "0.001")
    assert ran.status == 130
    assert [line.split(", ")[1] for line in ran.out.splitlines() if "offer" in line and ":" in line] == [
        "1 offer",
        "2 offers",
    ]
    assert "the market is gone; retrying in  0.001 s" in ran.err


def test_search__watched__first_look_fails__ends_as_any_search(assay: Assay, renter: FakeRenter) -> None:
    renter.fails["search"] = errors.Unreachable("nobody there")
    assert assay("search", "--watch", "5").status == errors.Unreachable.exit_status


def test_quote__private_price__is_shown_beside_the_public_one(assay: Assay) -> None:
    shown = json.loads(assay("quote", "0x010101", "--duration", "1h", "-o", "json").out)
    assert (shown["cost"], shown["publicCost"], shown["discountPercent"]) == ("3.24", "3.6", 10.0)


def test_rent__table__has_amounts_in_tokens_and_times_on_the_clock(assay: Assay) -> None:
    shown = assay("rent", "0x010101", "--duration", "2h", "--yes").out
    assert "7.2 USD" in shown and "deposit 1.0 s" in shown and "5.0 ms, 901 gops" in shown
    assert "7200000" not in shown and str(1 << 39) not in shown


def test_lease__table__has_amounts_in_tokens_and_json_the_exact_ones(assay: Assay) -> None:
    shown = assay("lease", "show", "7").out
    assert "3.6 USD" in shown and "1.5 USD" in shown
    assert "3600000" not in shown and str(1 << 39) not in shown
    exact = json.loads(assay("lease", "show", "7", "-o", "json").out)
    assert (exact["deposit"], exact["stop"]) == ("3.6", 1 << 39)


def test_search__table__names_the_token_of_the_price(assay: Assay) -> None:
    assert "3.60 USD" in assay("search").out


def test_rent__without_a_terminal_or_yes__sends_nothing(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("rent", "0x010101")
    assert ran.status == 7
    assert "3.6 USD" in ran.err and "--yes" in ran.err
    assert renter.asked("rent") == []


def test_rent__confirmed__pays_for_the_time_asked_and_prints_the_lease(assay: Assay, renter: FakeRenter) -> None:
    line = "rent 0x010101 --duration 2h --min-score 800 --min-proven-memory 24GiB --yes -o json"
    ran = assay(*line.split())
    assert ran.status == 0
    rented, deposit, minima, *_ = renter.asked("rent")[0]
    assert (rented.name, deposit, minima) == (DEVICE, 7_200_000, Minima(800, 24_576))
    shown = json.loads(ran.out)
    assert (shown["leaseId"], shown["status"], shown["steps"]) == (7, "active", {"deposit": 1.0})
    assert "lease 7 is open" in ran.err


def test_rent__without_a_device__takes_the_best_that_is_found(assay: Assay, renter: FakeRenter) -> None:
    assert assay("rent", "--near", "eu", "--yes").status == 0
    wanted, order, count, _ = renter.asked("choose")[0]
    assert (wanted.near, wanted.duration, order, count) == ("eu", 3600, "best", 1)
    assert (wanted.min_gpus, wanted.max_gpus) == (1, 1)


def test_rent__spread__rents_each(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("rent", "--spread", "2", "--yes", "-o", "json")
    assert [one[0].name[:4] for one in renter.asked("rent")] == ["0x01", "0x02"]
    assert len(json.loads(ran.out)["leases"]) == 2
    assert "7.2 USD" not in ran.err  # asked only where there is somebody to ask


@pytest.mark.parametrize("option", ["--nodes", "--spread"])
def test_rent__several_of_which_one_fails__ends_or_names_those_before_it(
    assay: Assay, renter: FakeRenter, option: str
) -> None:
    rent, tried = renter.answers["rent"], list[object]()

    def once(*given: object, **named: object) -> object:
        tried.append(given)
        if len(tried) > 1:
            raise errors.ProofRejected("too late")
        return rent(*given, **named)

    renter.answers = {**renter.answers, "rent": once}
    ran = assay("rent", option, "2", "--yes", "-o", "json")
    assert (ran.status, ran.out) == (4, "")
    assert len(renter.asked("end")) == (1 if option == "--nodes" else 0)
    assert ("was ended" if option == "--nodes" else "keeps running") in ran.err


def test_rent__node__is_one_lease_of_all_its_devices(assay: Assay, renter: FakeRenter) -> None:
    renter.found = [listing(1), listing(1, 2, rate=10**22, notice=3_600)]
    ran = assay("rent", "0x010101", "--gpus", "2")
    assert "2 × NVIDIA H100 80GB" in ran.err and "may end 1h after a notice" in ran.err
    shown = json.loads(assay("rent", "0x010101", "--gpus", "2", "--yes", "-o", "json").out)
    assert (shown["gpus"], shown["deviceIds"]) == (2, [DEVICE, "0x" + "02" * 32])
    assert renter.asked("rent")[0][1] == 36_000_000
    assert renter.asked("listing")[-1] == (bytes([1]) * 32, 2, None)
    ran = assay("rent", "0x010101", "--gpus", "2", "--firm", "--yes")
    assert ran.status == 2 and "3600 s after a notice" in ran.err
    assay("rent", "--gpus", "4+", "--yes")
    wanted = renter.asked("choose")[-1][0]
    assert (wanted.min_gpus, wanted.max_gpus) == (4, None)


def test_rent__quote__is_rented_at_the_private_price(assay: Assay, renter: FakeRenter) -> None:
    assert assay("rent", "0x010101", "--quote", "--yes").status == 0
    assert renter.asked("rent")[0][1] == 3_240_000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": 10**21 + 1}, "rate"),
        ({"token": DEVICE}, "rate"),
        ({"min_duration": 7_200}, "least duration"),
        ({"max_duration": 60}, "longest duration"),
        ({"notice": 60}, "notice"),
    ],
)
def test_rent__quote_that_is_worse_than_the_public_offer__is_not_taken(
    assay: Assay, renter: FakeRenter, changes: dict[str, Any], said: str
) -> None:
    worse = replace(renter.found[0], **changes)
    renter.answers = {**renter.answers, "quote": lambda device_ids, seconds: worse}
    ran = assay("rent", "0x010101", "--quote", "--yes")
    assert ran.status == 2 and f"({said})" in ran.err and renter.asked("rent") == []


def test_rent__outside_of_the_offers_durations__is_refused(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("rent", "0x010101", "--duration", "30s", "--yes")
    assert ran.status == 2 and "60 to 86400" in ran.err
    assert renter.asked("rent") == []


def test_rent__chain_fails_in_the_middle__says_how_to_go_on(assay: Assay, renter: FakeRenter) -> None:
    renter.fails["rent"] = UnreachableChain("http://u", "timed out")
    ran = assay("rent", "0x010101", "--yes")
    assert ran.status == 1
    assert "assay rent --lease N" in ran.err and "assay end N" in ran.err


def test_rent__proof_rejected__ends_with_4_and_says_that_it_cost_nothing(assay: Assay, renter: FakeRenter) -> None:
    def rejected(one: object, deposit: int, minima: object, on_step: Callable[[Step], None], *_: object) -> None:
        on_step(Step(StepName.deposit, "lease 7 is open", 1.0))
        raise errors.ProofRejected("the handover proof does not verify: row 3")

    renter.answers = {**renter.answers, "rent": rejected}
    ran = assay("rent", "0x010101", "--yes")
    assert ran.status == 4
    assert "nothing has streamed" in ran.err and "row 3" in ran.err


def test_rent__fails_before_a_lease_is_open__says_nothing_of_one(assay: Assay, renter: FakeRenter) -> None:
    renter.fails["rent"] = errors.BadInput("holds 0 USD, 3.6 are needed")
    ran = assay("rent", "0x010101", "--yes")
    assert ran.status == 2 and "holds 0 USD" in ran.err and "cancelled" not in ran.err


def test_rent__open_lease__is_gone_on_with(assay: Assay, renter: FakeRenter) -> None:
    assert assay("rent", "--lease", "7", "-o", "json").status == 0
    assert renter.asked("resume")[0][0] == 7 and renter.asked("rent") == []


def test_rent__open_only__pays_and_does_not_start(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("rent", "0x010101", "--open-only", "--yes", "-o", "json")
    assert json.loads(ran.out)["status"] == "pending"
    assert renter.asked("rent") == []


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("rent 0x010101", ["open"]),
        ("top-up 7 1", ["topUp"]),
        ("end 7", ["end", "refund"]),
        ("end 7 --no-refund", ["end"]),
        ("refund 7", ["refund"]),
    ],
)
def test_dry_run__shows_the_calldata_and_sends_nothing(
    assay: Assay, renter: FakeRenter, line: str, sent: list[str]
) -> None:
    ran = assay(*line.split(), "--dry-run", "-o", "json")
    shown = json.loads(ran.out)["transactions"]
    assert [one["name"] for one in shown] == [f"LeaseEscrow.{name}" for name in sent]
    assert all(one["calldata"] == "0x0badcafe" for one in shown)
    assert not {"rent", "top_up", "end", "refund"} & {name for name, _ in renter.calls}


def test_leases__without_all__are_those_that_are_not_over(assay: Assay) -> None:
    assert [one["leaseId"] for one in json.loads(assay("leases", "-o", "json").out)["leases"]] == [7]
    rows = json.loads(assay("leases", "--all", "-o", "json").out)["leases"]
    assert [(one["leaseId"], one["status"]) for one in rows] == [(7, "active"), (8, "ended")]
    one = json.loads(assay("lease", "show", "7", "-o", "json").out)
    assert (one["streamed"], one["baseUnits"]["streamed"]) == ("1.5", "1500000")


def test_top_up__for_a_time__adds_what_it_costs(assay: Assay, renter: FakeRenter) -> None:
    assert assay("top-up", "7", "--duration", "1h", "--yes").status == 0
    assert renter.asked("top_up") == [(7, 3_600_000)]


def test_end__collects_the_rest__unless_told_not_to(assay: Assay, renter: FakeRenter) -> None:
    shown = json.loads(assay("end", "7", "--yes", "-o", "json").out)
    assert (shown["refunded"], [one["name"] for one in shown["transactions"]]) == ("0.000005", ["end", "refund"])
    renter.calls.clear()
    assert assay("end", "7", "--yes", "--no-refund").status == 0
    assert renter.asked("refund") == []


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (JobState("j1", "exited", 0, None), 0),
        (JobState("j1", "exited", 42, None), 42),
        (JobState("j1", "killed", None, "its lease is over"), 1),
    ],
)
def test_run__ends_with_the_jobs_status(assay: Assay, renter: FakeRenter, state: JobState, status: int) -> None:
    renter.a_session.ends = state
    ran = assay("run", "7", "--", "python3", "-c", "print(1)", "--flag")
    assert (ran.status, ran.out) == (status, "output of j1\n")
    assert renter.a_session.started[0][0] == ["python3", "-c", "print(1)", "--flag"]
    assert (state.reason or "") in ran.err


def test_run__files__go_up_before_and_come_down_after(assay: Assay, renter: FakeRenter, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/data").write_bytes(b"1")
    (tmp_path / "train.py").write_bytes(b"2")
    ran = assay(
        "run", "7", "--upload", f"{tmp_path}/in:input", "--upload", f"{tmp_path}/train.py", "--env", "A=b=c",
        "--max-time", "2m", "--image", "x:1", "--download", f"out.txt:{tmp_path}/got",
        "--download", f"run:{tmp_path}/r", "-o", "json", "--", "sh",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert renter.a_session.stored["input/data"] == b"1" and renter.a_session.stored["train.py"] == b"2"
    assert renter.a_session.started == [(["sh"], {}, {"A": "b=c"}, {"wallSeconds": 120}, "x:1")]
    assert (tmp_path / "got").read_bytes() == b"result" and (tmp_path / "r/b/c").read_bytes() == b"c"
    assert json.loads(ran.out) == {
        "jobId": "j1",
        "status": "exited",
        "exitCode": 0,
        "reason": None,
        "output": "output of j1\n",
    }


def test_run__followed__keeps_the_lease_unless_patience_is_never(assay: Assay, renter: FakeRenter) -> None:
    assay("run", "7", "--auto-topup", "9", "--patience", "1m", "--", "ls")
    lease_id, policy, every, _ = renter.asked("keep")[0]
    assert (lease_id, policy.cap, policy.patience, every) == (7, 9_000_000, 60.0, 10.0)
    renter.calls.clear()
    assay("run", "7", "--patience", "never", "--", "ls")
    assert renter.asked("keep") == []


def test_run__detached__prints_the_jobs_id(assay: Assay) -> None:
    assert assay("run", "7", "--detach", "--", "ls").out == "j1\n"


def test_run__upload_refused__starts_no_job(assay: Assay, renter: FakeRenter, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(SMALL_FILE_BYTES + 1)
    renter.a_session.upload_refusal = errors.ProviderRefused(413, "the lease's share of the disk is full")
    ran = assay("run", "7", "--upload", f"{tmp_path}/large", "--", "ls")
    assert ran.status != 0 and "share of the disk is full" in ran.err
    assert renter.a_session.started == []


def test_logs__without_a_job__are_the_newest_ones(assay: Assay, renter: FakeRenter) -> None:
    assert assay("logs", "7").out == "output of j1\n"
    assert assay("logs", "-f", "7", "j0").out == "output of j0\n"


def test_cp__both_ways__copies_as_scp_does(assay: Assay, renter: FakeRenter, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"code")
    assert assay("cp", f"{tmp_path}/a.py", "7:").status == 0
    assert assay("cp", f"{tmp_path}/a.py", "7:there/").status == 0
    assert renter.a_session.stored["a.py"] == renter.a_session.stored["there/a.py"] == b"code"
    assert assay("cp", "7:out.txt", str(tmp_path)).status == 0
    assert (tmp_path / "out.txt").read_bytes() == b"result"
    assert assay("cp", "-r", "7:run", f"{tmp_path}/copy").status == 0
    assert (tmp_path / "copy/b/c").read_bytes() == b"c"


def test_cp__a_provider_that_names_files_elsewhere__writes_nothing_there(
    assay: Assay, renter: FakeRenter, tmp_path: Path
) -> None:
    renter.a_session.stored = {"run/../../escaped": b"x"}
    ran = assay("cp", "-r", "7:run", f"{tmp_path}/deep/copy")
    assert ran.status == 2 and "outside" in ran.err
    assert not (tmp_path / "escaped").exists()


def test_stop_job__newest__is_ended(assay: Assay) -> None:
    assert json.loads(assay("stop-job", "7", "-o", "json").out)["status"] == "killed"


def test_wallet__shows_what_it_holds(assay: Assay) -> None:
    shown = json.loads(assay("wallet", "-o", "json").out)
    assert (shown["coin"], shown["USD"]) == ("1", "2.5")


def test_wallet__create__makes_a_key_file_that_opens(assay: Assay, tmp_path: Path) -> None:
    from assay.chain.key_files import load

    (tmp_path / "password").write_text("long enough\n")
    file = tmp_path / "wallet.json"
    ran = assay("wallet", "--create", str(file), "--password-file", str(tmp_path / "password"), "-o", "json")
    assert json.loads(ran.out)["address"] == load(file, "long enough").address
    again = assay("wallet", "--create", str(file), "--password-file", str(tmp_path / "password"))
    assert again.status == 2 and "never overwritten" in again.err
