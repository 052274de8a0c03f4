"""Lists of jobs: what a line says, what all have, and what is refused with the line that it stands in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.renter.batch.batch_journal import BatchJournal
from assay.renter.batch.job_list import JobDefaults, parse_jobs
from assay.renter.errors import BadInput

DEFAULTS = JobDefaults(("render", "--frame", "{frame}", "--out", "{results}/{id}.ppm"), (("A", "1"),), ("{id}.ppm",))


def test_jobs__with_values__fill_the_command_that_all_have() -> None:
    first, second = parse_jobs(['{"frame": 3}', "", '{"id": "last", "frame": "4", "env": {"A": "2"}}'], DEFAULTS, "f")
    assert (first.id, first.command) == ("job-00001", ("render", "--frame", "3", "--out", "{results}/job-00001.ppm"))
    assert first.command_in("results/job-00001.7")[-1] == "results/job-00001.7/job-00001.ppm"
    assert (second.id, second.environment, second.expect) == ("last", (("A", "2"),), ("last.ppm",))


def test_jobs__of_their_own__need_no_command_for_all() -> None:
    (job,) = parse_jobs(['{"command": ["echo", "{\\"a\\": 1}"], "expect": [], "maxTime": "90s"}'], JobDefaults(), "f")
    assert (job.command, job.max_time) == (("echo", '{"a": 1}'), 90)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "JSON object"),
        ("{", "line 2"),
        ('{"id": "../x", "frame": 1}', "at most 100 letters"),
        ('{"id": "a", "frame": 1}', "a job 'a' before"),
        ("{}", "no value of this line"),
        ('{"frame": true}', "a text or a number"),
        ('{"frame": 1, "results": "x"}', "the folder that is collected"),
        ('{"frame": 1, "command": "ls"}', "list of at most"),
        ('{"frame": 1, "command": ["a\\u0000"]}', "no text"),
        ('{"frame": 1, "expect": ["../x"]}', "no path below"),
        ('{"frame": 1, "env": {"a b": "x"}}', "no variable"),
        ('{"frame": 1, "maxTime": "soon"}', "not a duration"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_jobs__off_their_rules__are_refused_by_their_line(line: str, reason: str) -> None:
    with pytest.raises(BadInput, match=r"jobs\.jsonl, line 2") as refused:
        parse_jobs(['{"id": "a", "frame": 0}', line], DEFAULTS, "jobs.jsonl")
    assert reason in str(refused.value)


@settings(max_examples=30)
@given(st.text())
def test_jobs__any_line__is_a_job_or_is_refused(line: str) -> None:
    try:
        (job,) = parse_jobs([line], DEFAULTS, "f")
    except BadInput:
        return
    assert json.loads(line)["frame"] is not None and "{frame}" not in "".join(job.command)


def test_journal__another_list_wallet_or_process__is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    jobs = parse_jobs(['{"frame": 1}', '{"frame": 2}'], DEFAULTS, "f")
    journal = BatchJournal(tmp_path / "into/batch.sqlite")
    journal.claim("me")
    journal.take(jobs)
    with pytest.raises(BadInput, match="another batch works"):
        BatchJournal(tmp_path / "into/batch.sqlite")
    journal.close()
    journal = BatchJournal(tmp_path / "into/batch.sqlite")
    with pytest.raises(BadInput, match="a batch of me, not of you"):
        journal.claim("you")
    with pytest.raises(BadInput, match="'job-00002' is no longer"):
        journal.take(jobs[:1])
    with pytest.raises(BadInput, match="'job-00001' has changed"):
        journal.take(parse_jobs(['{"frame": 9}', '{"frame": 2}'], DEFAULTS, "f"))
    journal.take(parse_jobs(['{"frame": 1}', '{"frame": 2}', '{"frame": 3}'], DEFAULTS, "f"))
    assert [one.id for one in journal.jobs()] == ["job-00001", "job-00002", "job-00003"]
    journal.close()
