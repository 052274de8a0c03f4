"""`assay run --each`: jobs of a file over leases that are rented for them."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assay.cli.output import OutputFormat, note, show
from assay.cli.renter.batch.options import BatchOptions
from assay.cli.renter.batch.progress import Teller, progress_text
from assay.cli.renter.batch.transfers import fetch_results, put_needed
from assay.cli.renter.options import Asking, Connection, Filters, size_mib
from assay.cli.renter.pods.options import PodOptions, variable
from assay.renter.errors import BadInput, NoDevice
from assay.renter.money.amounts import amount_text, parse_amount, parse_duration, show_amount

if TYPE_CHECKING:
    from assay.renter.batch.batch_journal import BatchJournal
    from assay.renter.batch.batch_run import BatchOutcome, BatchProgress
    from assay.renter.batch.job_list import BatchJob
    from assay.renter.batch.ports import BatchWork
    from assay.renter.market.search import Wanted
    from assay.renter.renter import Renter

JOURNAL = "batch.sqlite"
SOME_FAILED, NONE_LEFT = 1, 3
CHECK_S = 600.0
CHECK_TEXT = 2_000
MIB = 1 << 20


@dataclass(frozen=True)
class EachJob:
    """What every job has where its line does not say otherwise, and what goes to each lease before."""

    command: tuple[str, ...]
    upload: tuple[str, ...]
    max_time: str | None


async def run_each(
    connection: Connection,
    options: BatchOptions,
    filters: Filters,
    pod: PodOptions,
    asking: Asking,
    each: EachJob,
    output: OutputFormat,
) -> None:
    """The whole of it. Raises RenterError, ChainError; ends with 1 where a job failed, 3 where some were left."""
    from assay.renter.batch.batch_journal import BatchJournal
    from assay.renter.batch.batch_run import BatchRun
    from assay.renter.batch.renter_market import RenterMarket
    from assay.renter.batch.rules import BatchLimits

    jobs = read_jobs(options, pod, each)
    into = options.into or _file(options).with_name(f"{_file(options).stem}-results")
    budget = _budget(options)
    most, seconds = size_mib(options.max_results, "--max-results") * MIB, parse_duration(options.lease_time)
    wanted, minima = filters.wanted(None, "1"), filters.minima()
    # Variables are the jobs', which run in whatever pod there is.
    pod_body = replace(pod, env=None).wanted() if pod.image or pod.template else None
    async with connection.renter() as renter:
        journal = BatchJournal(into / JOURNAL)
        try:
            token = await paid_in(renter, journal, wanted)
            wanted = replace(wanted, token=token)
            journal.claim(f"{renter.address} on chain {renter.chain.chain_id}, paid in {token}")
            journal.take(jobs)
            if options.again:
                journal.forgive()
            decimals, symbol = await coin_of(renter, token)
            units = parse_amount(str(budget), decimals)
            limits = BatchLimits(options.max_leases, units, seconds, options.tries)
            asking.confirm(
                f"Rent up to {options.max_leases} leases at once for {len(jobs)} jobs, for at most {budget} {symbol} "
                "in all?"
            )

            def amount(units: int) -> str:
                return f"{amount_text(units, decimals)} of {budget} {symbol}"

            def line(progress: BatchProgress) -> str:
                return progress_text(progress, amount)

            with Teller.opened(line) as teller:
                market = RenterMarket(renter, wanted, minima, pod_body, teller.tell)
                work = _work(options, each, most)
                run = BatchRun(market, journal, jobs, limits, work, into, teller.tell)
                outcome = await run.run(teller.look)
            _show(journal, outcome, into, decimals, symbol, output)
        finally:
            journal.close()
    if outcome.progress.done < outcome.progress.jobs:
        raise typer.Exit(SOME_FAILED if outcome.progress.failed else NONE_LEFT)


def read_jobs(options: BatchOptions, pod: PodOptions, each: EachJob) -> list[BatchJob]:
    """The jobs of the file, each with what all have. Raises BadInput."""
    from assay.renter.batch.job_list import JobDefaults, parse_jobs

    file = _file(options)
    environment = tuple(variable(pair) for pair in pod.env or ())
    seconds = parse_duration(each.max_time or "1h")
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--each {file}: {getattr(error, 'strerror', None) or 'is not text in UTF-8'}") from None
    return parse_jobs(lines, JobDefaults(each.command, environment, tuple(options.expect or ()), seconds), str(file))


def _file(options: BatchOptions) -> Path:
    if options.each is None:
        raise BadInput("--each: say which file the jobs stand in")
    return options.each


def _budget(options: BatchOptions) -> Decimal:
    from assay.cli.renter.options import number

    value = number(options.budget, "--budget")
    if value is None:
        raise BadInput("--budget: say how much all leases may cost at most, whole tokens, such as --budget 20")
    return value


async def paid_in(renter: Renter, journal: BatchJournal, wanted: Wanted) -> str:
    """What leases are paid in: what was asked for, what the batch began with, or the one that offers have."""
    from assay.renter.market.search import Order

    if wanted.token:
        return wanted.token
    if begun := journal.leases():
        return begun[0].token
    tokens = sorted({one.token for one in await renter.proven(wanted, Order.price)})
    if not tokens:
        raise NoDevice("no offer matches: use fewer filters, or search again after the next epoch")
    if len(tokens) > 1:
        raise BadInput(f"offers are priced in {' and '.join(tokens[:4])}: say with --token which one --budget is in")
    return tokens[0]


async def coin_of(renter: Renter, token: str) -> tuple[int, str]:
    """A token's decimals and symbol."""
    from assay.chain.contracts.erc20 import Erc20

    coin = Erc20(renter.chain, token)
    decimals, symbol = await asyncio.gather(coin.decimals(), coin.symbol())
    return decimals, symbol


def _work(options: BatchOptions, each: EachJob, most: int) -> BatchWork:
    from assay.renter.batch.ports import BatchWork

    async def prepare(session: Any) -> None:
        await put_needed(session, each.upload)

    async def collect(session: Any, remote: str, target: Path) -> None:
        await fetch_results(session, remote, target, most)

    async def check(job: BatchJob, folder: Path) -> str:
        return "" if options.check is None else await checked(options.check, job.id, folder)

    return BatchWork(prepare, collect, check)


async def checked(command: str, job_id: str, folder: Path) -> str:
    """What a command of this machine has against the results in a folder, empty for nothing. Raises BadInput."""
    try:
        line = [part.replace("{results}", str(folder)).replace("{id}", job_id) for part in shlex.split(command)]
    except ValueError as error:
        raise BadInput(f"--check {command!r}: {error}") from None
    environment = {**os.environ, "ASSAY_JOB": job_id, "ASSAY_RESULTS": str(folder)}
    try:
        process = await asyncio.create_subprocess_exec(
            *line, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise BadInput(f"--check {line[0]!r}: {error.strerror}") from None
    try:
        async with asyncio.timeout(CHECK_S):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"the check had not ended after {CHECK_S:.0f} s"
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode == 0:
        return ""
    text = printed[-CHECK_TEXT:].decode("utf-8", "replace").strip()
    return f"its results did not pass the check (status {process.returncode}){': ' if text else ''}{text}"


def _show(
    journal: BatchJournal, outcome: BatchOutcome, into: Path, decimals: int, symbol: str, output: OutputFormat
) -> None:
    reasons = journal.reasons()
    states = journal.jobs()
    rows = [
        {"id": one.id, "status": one.status.value, "failures": one.failures, "lost": one.lost,
         "reason": reasons.get(one.id, "") if one.status.value != "done" else ""}
        for one in states
    ]  # fmt: skip
    leases = [
        {"leaseId": one.lease_id, "provider": one.provider, "stage": one.stage.value, "most": str(one.most),
         "reason": one.reason}
        for one in journal.leases()
        if one.lease_id is not None
    ]  # fmt: skip
    cost = outcome.progress.committed
    if output is OutputFormat.json:
        values: dict[str, Any] = {
            "results": str(into), "jobs": rows, "leases": leases, "cost": show_amount(cost, decimals),
            "token": symbol, "stopped": outcome.stopped, "openLeases": list(outcome.open_leases),
        }  # fmt: skip
        return show(values, output)
    progress = outcome.progress
    shown = {
        "jobs": progress.jobs,
        "done": progress.done,
        "failed": ", ".join(one.id for one in states if one.status.value == "failed") or "none",
        "left": progress.jobs - progress.done - progress.failed,
        "leases": len(leases),
        "cost": f"{amount_text(cost, decimals)} {symbol}",
        "results": str(into),
    }
    show({**shown, "stopped": outcome.stopped} if outcome.stopped else shown, output)
    if outcome.stopped:
        note(f"{progress.jobs - progress.done} jobs are not done: {outcome.stopped}")
    sys.stdout.flush()
