"""How values of several parts are printed for people."""

from __future__ import annotations

import csv
import io

import pytest
import typer

from assay.cli.output import OutputFormat, escaped, fail, show, show_rows

ODD = "H100\x1b[2J\x1b]0;owned\x07\u202egpj\x9b1m\r\nerror: none"


def test_show__parts_of_parts__have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        {"epochs": {"87": {"phase": "open", "batches": 4}, "88": {"phase": "sealed"}}, "unready": []},
        OutputFormat.table,
    )
    assert capsys.readouterr().out.splitlines() == [
        "epochs   87: phase open, batches 4",
        "         88: phase sealed",
        "unready  none",
    ]


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1", "－1＋1", "-", "+", "-1e"]
)
def test_csv__text_that_a_spreadsheet_would_work_out__is_made_text(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_rows("devices", [{"model": text, "gpus": 1}], {}, OutputFormat.csv)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["model"] == "'" + escaped(text)


@pytest.mark.parametrize("number", [-1, -0.5, "-1", "+2.50", "-1e-18", "0x12", "7", "", None, "a=b"])
def test_csv__numbers_and_plain_text__stay_as_they_are(number: object, capsys: pytest.CaptureFixture[str]) -> None:
    show({"amount": number, "other": 1}, OutputFormat.csv)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["amount"] == ("" if number is None else str(number))


@pytest.mark.parametrize("output", OutputFormat)
def test_output__of_what_a_stranger_wrote__obeys_nothing_in_it(
    output: OutputFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    show_rows("devices", [{"model": ODD, "parts": [ODD], ODD: {ODD: 1}}], {"model": "model", ODD: "odd"}, output)
    show({"reason": ODD, "more": {"a": {ODD: ODD}}, "some": [ODD]}, output)
    told = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e", "\x9b", "\r"} & set(told)
    assert "\nerror: none" not in told


def test_fail__with_what_a_stranger_wrote__obeys_nothing_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        fail("the provider refused: \x1b[2Jgone\udcff")
    assert capsys.readouterr().err == "error: the provider refused: \\x1b[2Jgone\\udcff\n"


def test_escaped__text_of_any_language__stays_as_it_is() -> None:
    for text in ("データ 東京", "café – 5 €", "🚀", "שלום"):
        assert escaped(text) == text
