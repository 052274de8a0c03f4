"""Options of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.option_groups import OptionGroup


@dataclass(frozen=True)
class BatchOptions(OptionGroup):
    """How many jobs are spread over leases that are rented for them."""

    each: Annotated[
        Path | None,
        typer.Option("--each", help="file of jobs, a JSON object a line: leases are rented for them, and ended"),
    ] = None
    budget: Annotated[
        str | None, typer.Option("--budget", help="with --each: the most that all leases may cost, whole tokens")
    ] = None
    max_leases: Annotated[int, typer.Option("--max-leases", help="with --each: so many at once", min=1, max=64)] = 4
    into: Annotated[
        Path | None, typer.Option("--into", help="with --each: folder of the results; jobs.jsonl's go to jobs-results")
    ] = None
    lease_time: Annotated[
        str, typer.Option("--lease-time", help="with --each: what a deposit pays for at first, and each top-up")
    ] = "1h"
    tries: Annotated[
        int, typer.Option("--tries", help="with --each: how often a job may fail, each time elsewhere", min=1, max=20)
    ] = 3
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", help="with --each: a file that a job must leave in {results}, not empty; again"),
    ] = None
    check: Annotated[
        str | None,
        typer.Option("--check", help="with --each: a command here that says by its status if {results} are good"),
    ] = None
    max_results: Annotated[
        str, typer.Option("--max-results", help="with --each: the most that one job's results may be")
    ] = "4GiB"
    again: Annotated[
        bool, typer.Option("--again", help="with --each: try jobs again that failed, and providers that did")
    ] = False
