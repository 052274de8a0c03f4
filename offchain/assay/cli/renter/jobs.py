"""`assay run`, `jobs`, `logs`, `stop-job`: the first ends with the job's own status."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.renter.batch.options import BatchOptions
from assay.cli.renter.files import download_all, upload_all
from assay.cli.renter.keeping import Keeping
from assay.cli.renter.options import Asking, Connection, Filters, LeaseId, Output, renter_command
from assay.cli.renter.pods.options import PodOptions, variable
from assay.renter.errors import BadInput, NoJob
from assay.renter.money.amounts import parse_duration

if TYPE_CHECKING:
    from assay.renter.renter import Renter
    from assay.renter.session.provider_session import JobState, ProviderSession

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
ENDED_BADLY = 1
FOLLOW_SLACK_S = 60.0


@renter_command(commands, "run", ignore_unknown_options=True)
async def run(
    connection: Connection,
    keeping: Keeping,
    batch: BatchOptions,
    filters: Filters,
    pod: PodOptions,
    asking: Asking,
    lease: Annotated[str | None, typer.Argument(help="number of the lease; none with --each")] = None,
    command: Annotated[list[str] | None, typer.Argument(help="command and arguments, after --")] = None,
    upload: Annotated[
        list[str] | None,
        typer.Option("--upload", help="LOCAL[:REMOTE], a file or folder to upload before the job starts"),
    ] = None,
    download: Annotated[
        list[str] | None,
        typer.Option("--download", help="REMOTE[:LOCAL], a file or folder to download when the job has ended"),
    ] = None,
    max_time: Annotated[str | None, typer.Option("--max-time", help="time limit of the job: 90s, 2h")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="print the job's id and return")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Run a batch job on a lease: upload, follow its output, download. Exits with the job's status. With --each, run
    every job of a file, on leases that are rented for them within --budget and ended after the last job."""
    words = [*([] if lease is None else [lease]), *(command or [])]
    if batch.each is not None:
        from assay.cli.renter.batch.run_each import EachJob, run_each

        if download or detach:
            raise BadInput("--each downloads what a job writes into {results}: leave out --download and --detach")
        each = EachJob(tuple(words), tuple(upload or ()), max_time)
        return await run_each(connection, batch, filters, pod, asking, each, output)
    if batch.budget is not None:
        raise BadInput("--budget is for many jobs: name them with --each FILE")
    number = _lease_of(lease)
    if not command:
        raise BadInput(f"run {number}: give COMMAND after --, such as `assay run {number} -- nvidia-smi`")
    from assay.cli.renter.rows import job_json

    environment = dict(variable(pair) for pair in pod.env or [])
    limits: Mapping[str, Any] = {"wallSeconds": parse_duration(max_time)} if max_time else {}
    written = bytearray()
    on_output = written.extend if output is OutputFormat.json else _print
    async with connection.renter() as renter:
        session = await renter.session(number)
        await upload_all(session, upload or [])
        job_id = await session.create_job(command, {}, environment, limits, pod.image)
        note(f"job {job_id} runs on lease {number}")
        if detach:
            return _print_detached(job_id, output)
        try:
            state = await _follow(renter, session, number, job_id, on_output, keeping)
        except BaseException:
            note(
                f"the job itself goes on: assay logs -f {number} {job_id}, assay stop-job {number} {job_id}; "
                f"assay keep {number} claims downtime and leaves the lease once that is free"
            )
            raise
        await download_all(session, download or [])
    if output is OutputFormat.json:
        show({**job_json(state), "output": _text(bytes(written))}, output)
    if state.reason:
        note(f"job {job_id}: {state.reason}")
    raise typer.Exit(ENDED_BADLY if state.exit_code is None else state.exit_code)


def _lease_of(text: str | None) -> int:
    if text is None:
        raise BadInput("say on which lease, `assay leases` lists them, or name a file of jobs with --each")
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 62:
        raise BadInput(f"LEASE {text[:80]!r}: expected the number of a lease; `assay leases` lists them")
    return int(text)


@renter_command(commands, "jobs")
async def jobs(lease: LeaseId, connection: Connection, output: Output = OutputFormat.table) -> None:
    """List the jobs of a lease."""
    from assay.cli.renter.rows import JOB_COLUMNS, job_json

    async with connection.renter() as renter:
        found = await (await renter.session(lease)).jobs()
    show_rows("jobs", [job_json(state) for state in found], JOB_COLUMNS, output)


@renter_command(commands, "logs")
async def logs(
    lease: LeaseId,
    connection: Connection,
    job: Annotated[str | None, typer.Argument(help="id of the job; default the newest")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="follow until the job has ended")] = False,
) -> None:
    """Print a job's output; with -f follow it, even through disconnections."""
    from assay.renter.session.jobs import run_job

    async with connection.renter() as renter:
        session = await renter.session(lease)
        job_id = job or await _newest(session, lease)
        if follow:
            state = await run_job(session, job_id, _print, tell=note)
            note(f"job {job_id} has ended: {state.reason or f'exit code {state.exit_code}'}")
            return
        async for piece in session.output(job_id):
            _print(piece)


@renter_command(commands, "stop-job")
async def stop_job(
    lease: LeaseId,
    connection: Connection,
    job: Annotated[str | None, typer.Argument(help="id of the job; default the newest")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """End a job."""
    from assay.cli.renter.rows import job_json

    async with connection.renter() as renter:
        session = await renter.session(lease)
        show(job_json(await session.stop_job(job or await _newest(session, lease))), output)


async def _follow(
    renter: Renter, session: ProviderSession, lease: int, job_id: str, on_output: Any, keeping: Keeping
) -> JobState:
    """To the job's end, with the lease kept meanwhile: a device that stays silent ends it."""
    from assay.renter.session.jobs import PATIENCE_S, guarded, run_job

    # A job that runs is not ended for what its devices were yesterday.
    policy = await keeping.policy(renter, lease, leave_free=False)
    patience = max(PATIENCE_S, (policy.patience or 0) + FOLLOW_SLACK_S)
    following = run_job(session, job_id, on_output, patience, note)
    if policy.patience is None and not policy.cap:
        return await following
    return await guarded(following, renter.keep(lease, policy, keeping.every, note))


async def _newest(session: ProviderSession, lease: int) -> str:
    found = await session.jobs()
    if not found:
        raise NoJob(f"lease {lease} has no jobs yet; start one with `assay run {lease} -- COMMAND`")
    return found[-1].job_id


def _print(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _print_detached(job_id: str, output: OutputFormat) -> None:
    if output is OutputFormat.json:
        show({"jobId": job_id, "status": "running"}, output)
    else:
        sys.stdout.write(job_id + "\n")


def _text(output: bytes) -> Any:
    try:
        return output.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(output).decode()}
