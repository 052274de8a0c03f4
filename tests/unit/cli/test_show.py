"""The data sheet of what is on offer, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

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
