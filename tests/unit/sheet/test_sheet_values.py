"""Values of a sheet: each with whose word it is, and nothing from outside taken for more than it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.market.store.tables import listings
from assay.sheet.declared import NOTHING, DeclaredSheet, declared_in, pcie_mbs
from assay.sheet.fields import FIELDS, NUMBERS, bound_of, sheet_of_row
from assay.sheet.values import SheetValue, Source

ROW = {field.column: 7 if not field.is_text else "some" for field in FIELDS} | {"memory_proven": True, "cuda": 1204}


def test_fields__each__is_a_column_of_a_listing_and_has_one_name() -> None:
    assert {field.column for field in FIELDS} <= set(listings.c.keys())
    assert len({field.name for field in FIELDS}) == len(FIELDS)


def test_sheet__of_a_row__says_of_each_value_whose_word_it_is() -> None:
    sheet = sheet_of_row(ROW)
    assert set(sheet) == {field.name for field in FIELDS}
    assert sheet["scoreGops"] == SheetValue(7, "Gop/s", Source.proven)
    assert (sheet["uptimeBps"].source, sheet["diskReadMbs"].whose) == (Source.testimony, "declared")
    assert sheet["cuda"] == SheetValue("12.4", "", Source.declared)


def test_sheet__memory_that_is_only_declared__is_not_shown_as_proven() -> None:
    assert "memoryMib" not in sheet_of_row(ROW | {"memory_proven": False})


def test_sheet__what_is_not_known__is_not_there() -> None:
    assert sheet_of_row({field.column: 0 for field in FIELDS} | {"memory_proven": False, "model_name": ""}) == {}


def test_value__over_the_wire__comes_back_as_it_was() -> None:
    for value in sheet_of_row(ROW).values():
        assert SheetValue.parse(json.loads(json.dumps(value.to_json()))) == value
    assert SheetValue(5, "MB/s", Source.renters, 3).whose == "3 renters"


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"value": 1, "unit": ""}, {"value": True, "unit": "", "source": "proven"},
        {"value": -1, "unit": "", "source": "proven"}, {"value": "a\x1b[31m", "unit": "", "source": "proven"},
        {"value": "a" * 81, "unit": "", "source": "proven"}, {"value": 1, "unit": "x" * 13, "source": "proven"},
        {"value": 1, "unit": "", "source": "certified"}, {"value": 1, "unit": "", "source": "renters", "by": -1},
        {"value": 1.5, "unit": "", "source": "proven"},
    ],
)  # fmt: skip
def test_value__off_its_form__is_refused(data: Any) -> None:
    with pytest.raises(ValueError):
        SheetValue.parse(data)


@pytest.mark.parametrize(
    "text, expected", [("diskReadMbs:2000", ("disk_read_mbs", 2000)), ("cuda:12.4", ("cuda", 1204))]
)
def test_bound__on_a_field__is_its_column_and_number(text: str, expected: tuple[str, int]) -> None:
    field, number = bound_of(text, ":")
    assert (field.column, number) == expected


@pytest.mark.parametrize("text", ["", "diskReadMbs", "diskReadMbs:", "diskReadMbs:-1", "x:1", "region:1", "cuda:12"])
def test_bound__off_its_form__is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        bound_of(text, ":")


def test_declared__as_a_specification_has_it__comes_back() -> None:
    told = DeclaredSheet("570.86", 1208, pcie_mbs(5, 16), 450_000, 8, 3_700, 6_000, 3_000, 10_000, 10_000)
    assert declared_in(json.dumps({"driver": "570.86", "sheet": told.to_json()})) == told
    assert told.pcie_mbs == 63_008
    assert set(told.to_json()) <= set(NUMBERS)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "3", '{"sheet": 3}', '{"sheet": {"cpuMhz": true}}'])
def test_declared__off_its_form__is_nothing(text: str) -> None:
    assert declared_in(text) == NOTHING


@pytest.mark.parametrize("value", [True, -1, 0, 1 << 31, "5", 5.5, None, [5]])
def test_declared__a_value_out_of_bounds__is_not_declared(value: Any) -> None:
    assert DeclaredSheet.parse({"sheet": {"cpuMhz": value}}) == NOTHING
