"""`assay simulate`: for programs as JSON, and one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Ran

Assay = Callable[..., Ran]
PARAMETERS = str(Path(__file__).parents[3] / "deployments/local.yml")


def test_check__json__has_every_condition(assay: Assay) -> None:
    ran = assay("simulate", "check", "--parameters", PARAMETERS, "-o", "json")
    conditions = json.loads(ran.out)["conditions"]
    assert ran.status == 0 and len(conditions) > 3 and all(one["holds"] for one in conditions)


def test_run__json__is_what_lies_in_the_folder(assay: Assay, tmp_path: Path) -> None:
    line = ("simulate", "run", "--parameters", PARAMETERS, "--epochs", "5", "--out", str(tmp_path), "-o", "json")
    assert json.loads(assay(*line).out) == json.loads((tmp_path / "result.json").read_text())


def test_run__folder_that_cannot_be_made__is_one_line(assay: Assay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = assay("simulate", "run", "--parameters", PARAMETERS, "--epochs", "5", "--out", str(tmp_path / "file/x"))
    assert ran.status == 1 and ran.err.startswith("error: --out ") and ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"), [(None, "name a file with --parameters"), (b"\xff\xfe\x00", "is no text")]
)
def test_check__file_that_is_none__is_one_line(assay: Assay, tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "parameters.yml"
    if content is not None:
        file.write_bytes(content)
    ran = assay("simulate", "check", "--parameters", str(file))
    assert ran.status == 1 and said in ran.err and ran.err.count("\n") == 1
