"""The jobs of a batch as people write them: one JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.renter.errors import BadInput
from assay.renter.money.amounts import parse_duration
from assay.wire.limits import MAX_ARGUMENTS, MAX_TEXT, MAX_VARIABLES

MAX_JOBS = 100_000
MAX_LINE = 1 << 20
MAX_EXPECTED = 256
KNOWN = ("id", "command", "env", "expect", "maxTime")
RESULTS = "results"  # of placeholders: the folder on the lease that is collected
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,39})\}")


@dataclass(frozen=True)
class BatchJob:
    """One job. `expect` are files that it must leave in its results, `max_time` is in seconds. In `command` `{results}`
    still stands for the folder that is collected, which another attempt has another of."""

    id: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    expect: tuple[str, ...] = ()
    max_time: int = 3_600

    def to_json(self) -> dict[str, Any]:
        """What makes it this job and no other: as the journal keeps it."""
        return {"command": list(self.command), "env": dict(self.environment), "expect": list(self.expect),
                "maxTime": self.max_time}  # fmt: skip

    def command_in(self, results: str) -> tuple[str, ...]:
        """The command of an attempt whose results are collected from this folder."""
        return tuple(part.replace("{" + RESULTS + "}", results) for part in self.command)


@dataclass(frozen=True)
class JobDefaults:
    """What a line that does not say otherwise has; `{name}` in `command` and `expect` is the line's value `name`."""

    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    expect: tuple[str, ...] = ()
    max_time: int = 3_600


def parse_jobs(lines: Iterable[str], defaults: JobDefaults, name: str) -> list[BatchJob]:
    """The jobs of a file called `name`, in its order; empty lines are none. Raises BadInput naming the line."""
    jobs: list[BatchJob] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            job = _job(line, number, defaults)
        except (ValueError, BadInput, RecursionError) as error:
            raise BadInput(f"{name}, line {number}: {error}") from None
        if job.id in seen:
            raise BadInput(f"{name}, line {number}: there is a job {job.id!r} before it")
        seen.add(job.id)
        jobs.append(job)
        if len(jobs) > MAX_JOBS:
            raise BadInput(f"{name}: has more than {MAX_JOBS} jobs; split it")
    if not jobs:
        raise BadInput(f"{name}: has no jobs")
    return jobs


def _job(line: str, number: int, defaults: JobDefaults) -> BatchJob:
    if len(line) > MAX_LINE:
        raise ValueError(f"is longer than {MAX_LINE} characters")
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError('expected a JSON object, such as {"frame": 1}')
    job_id = row.get("id", f"job-{number:05d}")
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id):
        raise ValueError(f"id {str(job_id)[:80]!r}: at most 100 letters, digits, dots, dashes and underscores")
    values = _values(row, job_id)
    command = _texts(row.get("command", list(defaults.command)), "command", MAX_ARGUMENTS)
    if not command:
        raise ValueError('has no "command", and none was given behind --')
    expect = _texts(row.get("expect", list(defaults.expect)), "expect", MAX_EXPECTED)
    environment = {**dict(defaults.environment), **_environment(row.get("env", {}))}
    time = row.get("maxTime", defaults.max_time)
    return BatchJob(
        job_id,
        tuple(filled(part, values, ("results",)) for part in command),
        tuple(sorted(environment.items())),
        tuple(_path(filled(part, values)) for part in expect),
        parse_duration(str(time)),
    )


def filled(text: str, values: Mapping[str, str], kept: Sequence[str] = ()) -> str:
    """A text with each `{name}` replaced by its value, those that are `kept` left. What is no name in braces stays as
    it is, JSON among arguments for one. Raises ValueError for a name that the line does not have."""

    def value(match: re.Match[str]) -> str:
        if match[1] in kept:
            return match[0]
        if match[1] not in values:
            raise ValueError(f"{match[0]} is no value of this line; it has {', '.join(sorted(values))}")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, text)


def _values(row: Mapping[str, Any], job_id: str) -> dict[str, str]:
    values = {"id": job_id}
    for name, value in row.items():
        if name in KNOWN:
            continue
        if name == RESULTS:
            raise ValueError(f"{RESULTS!r} is the folder that is collected: give this value another name")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{name[:80]!r}: expected a text or a number")
        values[name] = str(value)
    return values


def _texts(value: Any, name: str, most: int) -> list[str]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{name}: expected a list of at most {most} texts")
    for one in value:
        if not isinstance(one, str) or "\x00" in one or len(one) > MAX_TEXT:
            raise ValueError(f"{name}: {str(one)[:80]!r} is no text, or longer than {MAX_TEXT} characters")
    return value


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_VARIABLES:
        raise ValueError(f"env: expected an object of at most {MAX_VARIABLES} texts")
    for name, content in value.items():
        if not name.isidentifier() or not name.isascii() or not isinstance(content, str) or len(content) > MAX_TEXT:
            raise ValueError(f"env: {name[:80]!r} is no variable with a text")
    return value


def _path(text: str) -> str:
    if not text or text.startswith("/") or any(part in ("", ".", "..") for part in text.split("/")):
        raise ValueError(f"expect: {text[:80]!r} is no path below the results, such as frame.png")
    return text
