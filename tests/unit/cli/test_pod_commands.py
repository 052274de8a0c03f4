"""Pods, templates and bills on the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from assay.provider.offers.offers import rate_of
from assay.renter.errors import ProviderRefused
from assay.templates.loading import shipped

from .conftest import FakeRenter, Ran

Assay = Callable[..., Ran]
DIGEST = "sha256:" + "ab" * 32


def test_templates__listed__are_those_of_the_package_and_of_a_folder(assay: Assay, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "Mine"\ndescription = "My own."\nimage = "me/mine:1"\n')
    rows = json.loads(assay("templates", "-o", "json").out)["templates"]
    assert {row["name"] for row in rows} == set(shipped())
    own = json.loads(assay("templates", "--templates", str(tmp_path), "-o", "json").out)["templates"]
    assert {row["name"] for row in own} == {*shipped(), "mine"}
    table = assay("templates").out
    assert "vllm" in table and "24 GiB" in table and "8188" in table


def test_templates__of_a_leases_provider__are_told_apart(assay: Assay) -> None:
    rows = json.loads(assay("templates", "--lease", "7", "-o", "json").out)["templates"]
    assert {row["name"]: row["from"] for row in rows}["theirs"] == "provider"


def test_rent__with_a_template__sends_what_it_says_with_the_variables_given(assay: Assay, renter: FakeRenter) -> None:
    assert assay("rent", "--template", "vllm", "--env", "MODEL=mine", "--yes").status == 0
    pod = renter.asked("rent")[0][4]
    assert pod.image == shipped()["vllm"].image and pod.environment["MODEL"] == "mine" and pod.ports == [8000]
    assert assay("rent", "--template", "theirs", "--yes").status == 0
    assert (renter.asked("rent")[1][4].template, renter.asked("rent")[1][4].image) == ("theirs", None)


def test_rent__with_a_template_and_an_image__takes_that_image_and_the_rest_of_the_template(
    assay: Assay, renter: FakeRenter
) -> None:
    assert assay("rent", "--template", "vllm", "--image", "mirror.example/vllm:1", "--yes").status == 0
    pod = renter.asked("rent")[0][4]
    assert (pod.image, pod.template, pod.ports) == ("mirror.example/vllm:1", None, [8000])
    assert pod.start == shipped()["vllm"].start
    assert assay("rent", "--template", "theirs", "--image", "a", "--yes").status == 0
    assert (renter.asked("rent")[1][4].template, renter.asked("rent")[1][4].image) == ("theirs", "a")


def test_rent__with_an_image_and_a_login__sends_the_first_line_of_the_file(
    assay: Assay, renter: FakeRenter, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("\ufeffpass word \nmore\n", "utf-8")
    options = ("--image", "ghcr.io/a/b:1", "--digest", DIGEST, "--registry-user", "me")
    ran = assay("rent", *options, "--registry-password-file", str(secret), "--yes")
    pod = renter.asked("rent")[0][4]
    assert (ran.status, pod.image, pod.digest) == (0, "ghcr.io/a/b:1", DIGEST)
    assert pod.login.password.get_secret_value() == "pass word"
    assert "pass word" not in ran.out + ran.err + repr(pod)


def test_rent__without_a_word_about_a_pod__sends_none(assay: Assay, renter: FakeRenter) -> None:
    assay("rent", "--yes")
    assert renter.asked("rent")[0][4] is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--image", "a", "--digest", "sha256:x"), "digest"),
        (("--image", "a", "--env", "1=2"), "expected NAME=VALUE"),
        (("--image", "a", "--registry-password-file", "/nowhere"), "needs --registry-user"),
        (("--image", "a", "--registry-user", "me"), "there is no terminal"),
        (("--image", "a", "--registry-user", "me", "--registry-password-file", "/nowhere"), "No such file"),
        (("--image", "a", "--open-only"), "--open-only"),
        (("--template", "Not A Name"), "template"),
        (("--template", "debian", "--templates", "/nowhere"), "No such file"),
    ],
)
def test_rent__off_the_rules__is_refused_before_anything_is_paid(
    assay: Assay, renter: FakeRenter, options: tuple[str, ...], reason: str
) -> None:
    ran = assay("rent", *options, "--yes")
    assert ran.status == 2 and reason in ran.err
    assert renter.asked("rent") == []


def test_pod_set__image__is_chosen_and_shown(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("pod", "set", "7", "--image", "debian:12", "--yes")
    assert ran.status == 0 and renter.a_session.chosen[0].image == "debian:12"
    assert "docker.io/library/debian:12" in ran.out and "64 GiB, 32 GiB of it for /dev/shm" in ran.out
    assert "assay ssh 7 -L 8000:localhost:8000" in ran.out
    assert assay("pod", "set", "7").status == 2


def test_pod_set__one_that_runs__is_asked_about_first(assay: Assay, renter: FakeRenter) -> None:
    renter.a_session.a_pod = renter.a_session.a_pod.model_copy(update={"state": "running"})
    ran = assay("pod", "set", "7", "--image", "debian:12")
    assert ran.status == 7 and "everything outside /workspace is lost" in ran.err
    assert renter.a_session.chosen == []


def test_pod_set__image_that_is_refused__ends_with_5_and_the_reason(assay: Assay, renter: FakeRenter) -> None:
    renter.a_session.pod_refusal = ProviderRefused(422, "image x: docker.io has no such tag")
    ran = assay("pod", "set", "7", "--image", "x", "--yes")
    assert ran.status == 5 and "has no such tag" in ran.err
    renter.a_session.pod_refusal = None
    failed = {"phase": "failed", "failure": "the registry broke off\x1b[2J"}
    renter.a_session.a_pod = renter.a_session.a_pod.model_copy(update=failed)
    ran = assay("pod", "set", "7", "--image", "x", "--yes")
    assert ran.status == 5 and "broke off" in ran.err and "\x1b" not in ran.err


def test_pod_show_and_restart__as_json__are_what_the_provider_tells(assay: Assay) -> None:
    shown = json.loads(assay("pod", "show", "7", "-o", "json").out)
    assert (shown["leaseId"], shown["share"]["cores"], shown["restarts"]) == (7, 8, 0)
    assert json.loads(assay("pod", "restart", "7", "--yes", "-o", "json").out)["restarts"] == 1


def test_receipt__in_a_table__has_the_sums_and_each_transaction(assay: Assay) -> None:
    ran = assay("leases", "7", "--receipt")
    assert ran.status == 0
    for text in ("3600 s (1h)", "3.6 ", "-0.9 ", "2.7 ", "deposit paid in", "0x" + "a1" * 32, "block 70", "2.5 %"):
        assert text in ran.out, text
    assert "0.8" in ran.err and "assay refund 7" in ran.err


def test_receipt__of_a_price_that_no_rate_makes_exactly__shows_the_price(assay: Assay, renter: FakeRenter) -> None:
    rate = rate_of(Decimal("3.2"), 6)
    renter.a_receipt = replace(renter.a_receipt, lease=replace(renter.a_receipt.lease, rate=rate))
    assert "3.20 USD an hour" in assay("leases", "7", "--receipt").out
    shown = json.loads(assay("leases", "7", "--receipt", "-o", "json").out)
    assert (shown["rate"], shown["pricePerHour"]) == (str(rate), "3.20")


def test_receipt__as_json__is_exact(assay: Assay) -> None:
    shown = json.loads(assay("leases", "7", "--receipt", "-o", "json").out)
    assert shown["baseUnits"] == {
        "deposit": "3600000", "streamed": "3600000", "downtimeRefund": "900000", "bondForfeitedToRenter": "0",
        "net": "2700000", "refunded": "100000", "refundable": "800000", "claimed": "1000000", "fee": "25000",
    }  # fmt: skip
    assert (shown["seconds"], shown["downtime"], shown["pricePerHour"]) == (3600, 900, "3.60")
    assert [one["amount"] for one in shown["transactions"]] == ["4.4", None, "0.975"]
    assert shown["transactions"][2]["at"] is None and shown["transactions"][2]["block"] == 70


def test_receipt__as_csv__is_a_line_for_each_transaction_and_each_sum(assay: Assay) -> None:
    rows = list(csv.DictReader(io.StringIO(assay("leases", "7", "--receipt", "-o", "csv").out)))
    assert [row["what"] for row in rows[:3]] == ["deposit paid in", "started", "paid to the provider"]
    assert {row["what"]: row["amount"] for row in rows}["sum: net"] == "2.7"
    assert all(row["leaseId"] == "7" for row in rows)


def test_leases__one_by_its_number__and_a_receipt_of_none(assay: Assay) -> None:
    rows = json.loads(assay("leases", "7", "-o", "json").out)["leases"]
    assert [row["leaseId"] for row in rows] == [7]
    ran = assay("leases", "--receipt")
    assert ran.status == 2 and "needs the number of a lease" in ran.err


def test_end__after_downtime_came_back__says_what_was_paid_in_the_end(assay: Assay, renter: FakeRenter) -> None:
    renter.a_lease = replace(renter.a_lease, downtime_refund=500_000, downtime=500)
    shown = json.loads(assay("end", "7", "--yes", "-o", "json").out)
    assert (shown["streamed"], shown["downtimeRefund"], shown["paid"]) == ("1.5", "0.5", "1")


def test_search__measured_below_one_giga_operation__shows_no_zeros_to_people_and_numbers_to_programs(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.found = [replace(renter.found[0], score_gops=0, memory_mib=0)]
    line = assay("search").out.splitlines()[1]
    assert "< 1" in line and "none proven" in line and " 0 " not in line and " 0.0 " not in line
    row = json.loads(assay("search", "-o", "json").out)["devices"][0]
    assert (row["scoreGops"], row["memoryMiB"], row["value"]) == (0, 0, 0.0)
