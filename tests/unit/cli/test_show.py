"""The data sheet of what is on offer, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from assay.sheet.values import SheetValue, Source

from .conftest import FakeRenter, Ran

Assay = Callable[..., Ran]


def test_show__of_a_device__says_of_every_value_whose_word_it_is(assay: Assay) -> None:
    lines = assay("show", "0x010101").out.splitlines()
    assert any("int8 operations" in line and "proven" in line for line in lines)
    assert any("memory that such a card is sold with" in line and "declared" in line for line in lines)
    sheet = json.loads(assay("show", "0x010101", "-o", "json").out)["sheet"]
    assert sheet["uptimeBps"]["source"] == "testimony"


def test_show__with_a_market__tells_what_renters_measured_below_what_is_declared(
    assay: Assay, renter: FakeRenter
) -> None:
    renter.market = "http://market.test"
    said = {"scoreGops": SheetValue(850, "Gop/s", Source.renters, 3)}
    renter.answers = {**renter.answers, "testimony": lambda device_ids: said}
    lines = assay("show", "0x010101").out.splitlines()
    at = next(n for n, line in enumerate(lines) if "int8 operations" in line)
    assert "measured in leases" in lines[at + 1] and "850" in lines[at + 1] and "3 renters" in lines[at + 1]
    shown = json.loads(assay("show", "0x010101", "-o", "json").out)
    assert shown["testimony"]["scoreGops"]["by"] == 3


@pytest.mark.parametrize("command", ["search", "rent --gpus 1 --yes"])
def test_here__of_an_offer_nearer_than_its_region__is_told(command: str, assay: Assay, renter: FakeRenter) -> None:
    """The offers declare eu-de-fra and answer within 12.3 ms: from Japan light takes longer."""
    words = command.split()
    assert "nearer than the region that it declares" in assay(*words, "--here", "jp").err
    for here in ([], ["--here", "eu-nl"]):
        assert "nearer" not in assay(*words, *here).err


def test_here__in_a_search__marks_the_region_and_says_why_in_json(assay: Assay) -> None:
    assert "eu-de-fra (nearer)" in assay("search", "--here", "ap-northeast").out
    doubts = [one["regionDoubt"] for one in json.loads(assay("search", "--here", "jp", "-o", "json").out)["devices"]]
    assert all(doubt.startswith("answers in 12.3 ms, and light takes ") for doubt in doubts) and len(doubts) == 2
    assert json.loads(assay("search", "-o", "json").out)["devices"][0]["regionDoubt"] is None


def test_here__no_place_that_is_known__is_refused(assay: Assay, renter: FakeRenter) -> None:
    ran = assay("search", "--here", "atlantis")
    assert ran.status == 2 and "no known place" in ran.err
    assert not renter.asked("search")
