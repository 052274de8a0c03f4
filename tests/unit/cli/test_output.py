"""How values of several parts are printed for people."""

from __future__ import annotations

import pytest

from assay.cli.output import OutputFormat, show


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
