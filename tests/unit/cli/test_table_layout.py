"""Tables on terminals of many widths: whatever does not fit beside the rest is shown below it, never cut."""

from __future__ import annotations

import pytest

from assay.cli.table_layout import table_lines

TITLES = ["device", "model", "score, gops", "uptime, %", "price an hour"]
ROWS = [
    ["0xee6e4ac404", "CPU only: AMD EPYC, 2 threads", "5", "100.0", "2.40"],
    ["0x91b531deb7", "NVIDIA H100 80GB", "1048576", "99.9", "13.98"],
]


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 200, None])
def test_table__any_width__cuts_no_word_and_fits(width: int | None) -> None:
    header, body = table_lines(TITLES, ROWS, width)
    shown = " ".join(header + body).split()
    for row in ROWS:
        for cell in row:
            assert set(cell.split()) <= set(shown)
    if width is not None and header:
        assert max(len(line) for line in header + body) <= width


def test_table__fits__has_a_line_each() -> None:
    header, body = table_lines(TITLES, ROWS, 82)
    assert header == ["device        model                          score, gops  uptime, %  price an hour"]
    assert body[1] == "0x91b531deb7  NVIDIA H100 80GB               1048576      99.9       13.98"


def test_table__narrower__wraps_between_words() -> None:
    header, body = table_lines(TITLES, ROWS, 80)
    assert (len(header), len(body)) == (2, 2)  # titles first
    header, body = table_lines(TITLES, ROWS[:1], 52)
    assert body == [
        "0xee6e4ac404  CPU only: AMD   5       100.0    2.40",
        "              EPYC, 2",
        "              threads",
    ]


def test_table__no_room_for_its_words__is_a_record_a_row() -> None:
    header, body = table_lines(["name", "calldata"], [["open", "0x" + "ab" * 50], ["end", "0x12"]], 60)
    assert header == []
    assert body == ["name      open", "calldata  0x" + "ab" * 50, "", "name      end", "calldata  0x12"]


def test_table__column_without_content__is_left_out() -> None:
    header, body = table_lines(["device", "region", "price"], [["0x01", "", "2"]], None)
    assert (header, body) == (["device  price"], ["0x01    2"])


def test_table__without_rows__still_has_its_titles() -> None:
    assert table_lines(["a", "b"], [], 80) == (["a  b"], [])


def test_pairs__value_of_several_lines__stands_below_itself() -> None:
    _, body = table_lines(None, [["id", "0x" + "01" * 40], ["transactions", "open\nend"]], 40)
    assert body == ["id            0x" + "01" * 40, "transactions  open", "              end"]


def test_table__wide_characters__stay_in_line() -> None:
    _, body = table_lines(["model", "price"], [["显卡", "1"], ["abc", "2"]], 40)
    assert body == ["显卡   1", "abc    2"]
