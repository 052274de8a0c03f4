"""`assay run --each` and `assay serve`: what they refuse before anything is rented, and what a check says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.cli.renter.batch.run_each import checked
from assay.cli.renter.serving.serve import bounds_of
from assay.renter.errors import BadInput

Assay = Callable[..., Any]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run --each {jobs} --yes", "--budget: say how much"),
        ("run --each {jobs} --budget 0 --yes", "--budget '0'"),
        ("run --each {folder}/none --budget 1 --yes", "No such file"),
        ("run --each {wrong} --budget 1 --yes", "line 2"),
        ("run --each {jobs} --budget 1 --download x --yes", "leave out --download"),
        ("run --each {jobs} --budget 1 --max-results many --yes", "--max-results 'many'"),
        ("run --each {jobs} --budget 1 --lease-time soon --yes", "'soon' is not a duration"),
        ("run --budget 1 7 -- ls", "--each FILE"),
        ("run x -- ls", "LEASE 'x'"),
        ("run", "on which lease"),
        ("serve jupyterlab", "--budget"),
        ("serve jupyterlab --budget 1 --replicas 3-1", "--replicas '3-1'"),
        ("serve debian --budget 1", "--server-port"),
        ("serve jupyterlab --budget 1 --health /a\"b", "--health"),
        ("serve jupyterlab --budget 1 --name ../x", "--name '../x'"),
        ("serve jupyterlab --template vllm --budget 1", "one or the other"),
    ],
)  # fmt: skip
def test_command__bad_input__ends_with_2_and_names_the_value(
    assay: Assay, tmp_path: Path, line: str, said: str
) -> None:
    jobs, wrong = tmp_path / "jobs.jsonl", tmp_path / "wrong.jsonl"
    jobs.write_text(json.dumps({"command": ["ls"]}) + "\n")
    wrong.write_text('{"command": ["ls"]}\n{"id": "no command"}\n')
    words = [word.format(jobs=jobs, wrong=wrong, folder=tmp_path) for word in line.split()]
    ran = assay(*words, *(["--into", str(tmp_path / "into")] if "--each" in words else []))
    assert (ran.status, ran.out) == (2, ""), ran.err
    assert said in ran.err, ran.err


@pytest.mark.parametrize(("text", "expected"), [("3", (3, 3)), ("1-3", (1, 3)), ("16", (16, 16))])
def test_bounds__of_replicas(text: str, expected: tuple[int, int]) -> None:
    assert bounds_of(text) == expected
    for wrong in ("0", "17", "1-17", "a", "1-", ""):
        with pytest.raises(BadInput, match="--replicas"):
            bounds_of(wrong)


async def test_check__of_results__says_what_it_printed_where_it_refuses_them(tmp_path: Path) -> None:
    (tmp_path / "frame").write_text("good")
    assert await checked("grep -q good {results}/frame", "j1", tmp_path) == ""
    said = await checked("sh -c 'echo {id} is $ASSAY_JOB; exit 3'", "j1", tmp_path)
    assert "status 3" in said and "j1 is j1" in said
    with pytest.raises(BadInput, match="no-such-program"):
        await checked("no-such-program {results}", "j1", tmp_path)
