"""Jobs on a lease: run, follow, copy. The command ends with the job's own status."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.lease_options import (
    DataDir,
    DeploymentFile,
    KeyFile,
    LeaseId,
    Output,
    PasswordFile,
    Rpc,
    finish,
    note,
    settings_of,
)
from assay.cli.output import OutputFormat, show
from assay.renter.errors import BadInput
from assay.renter.jobs import run_job
from assay.renter.provider_session import JobState
from assay.renter.renter import Renter

JobId = Annotated[str, typer.Argument(help="id of the job")]


def run(
    lease: LeaseId,
    command: Annotated[list[str], typer.Argument(help="command and arguments, after --")],
    upload: Annotated[
        list[str] | None, typer.Option("--upload", help="LOCAL[:REMOTE], put beside the job first")
    ] = None,
    download: Annotated[
        list[str] | None, typer.Option("--download", help="REMOTE[:LOCAL], fetched when the job is over")
    ] = None,
    env: Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE for the job")] = None,
    image: Annotated[str | None, typer.Option("--image", help="container image")] = None,
    max_seconds: Annotated[float | None, typer.Option("--max-seconds", help="the job's own limit")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="print the job's id and do not follow")] = False,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Run a batch job on a lease, follow its output, and end with its status."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)
    written = bytearray()

    def on_output(piece: bytes) -> None:
        if output is OutputFormat.json:
            written.extend(piece)
        else:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

    async def work() -> tuple[str, JobState | None]:
        files = dict(_upload(pair) for pair in upload or [])
        environment = dict(_variable(pair) for pair in env or [])
        limits: Mapping[str, Any] = {"wallSeconds": max_seconds} if max_seconds else {}
        async with Renter.connect(settings) as renter:
            session = await renter.session(lease)
            job_id = await session.create_job(command, files, environment, limits, image)
            note(f"job {job_id} runs on lease {lease}")
            if detach:
                return job_id, None
            state = await run_job(session, job_id, on_output)
            for pair in download or []:
                remote, local = _pair(pair)
                _write(local, await session.fetch(remote))
            return job_id, state

    job_id, state = finish(work())
    if output is OutputFormat.json:
        show({"jobId": job_id, **_json(state), "output": _text(bytes(written))}, output)
    elif state is None:
        sys.stdout.write(job_id + "\n")
    if state is not None:
        if state.reason:
            note(f"job {job_id}: {state.reason}")
        raise typer.Exit(1 if state.exit_code is None else state.exit_code)


def jobs(
    lease: LeaseId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """List the jobs of a lease and its files."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            session = await renter.session(lease)
            found = await session.jobs()
            return {"jobs": [{"jobId": s.job_id, **_json(s)} for s in found], "files": await session.files()}

    show(finish(work()), output)


def logs(
    lease: LeaseId,
    job: JobId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="until the job is over")] = False,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print a job's output; with -f follow it through disconnections."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    def on_output(piece: bytes) -> None:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

    async def work() -> None:
        async with Renter.connect(settings) as renter:
            session = await renter.session(lease)
            if follow:
                await run_job(session, job, on_output)
                return
            async for piece in session.output(job):
                on_output(piece)

    finish(work())


def stop_job(
    lease: LeaseId,
    job: JobId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """End a job."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> JobState:
        async with Renter.connect(settings) as renter:
            return await (await renter.session(lease)).stop_job(job)

    show({"jobId": job, **_json(finish(work()))}, output)


def cp(
    lease: LeaseId,
    source: Annotated[str, typer.Argument(help="a local file, or lease:PATH")],
    target: Annotated[str, typer.Argument(help="a local file, or lease:PATH")],
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Copy a file to or from a lease; the lease's side is written lease:PATH."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> None:
        from_lease, to_lease = source.startswith("lease:"), target.startswith("lease:")
        if from_lease == to_lease:
            raise BadInput("exactly one side must be on the lease, written lease:PATH")
        async with Renter.connect(settings) as renter:
            session = await renter.session(lease)
            if from_lease:
                _write(target, await session.fetch(source.removeprefix("lease:")))
            else:
                await session.put(target.removeprefix("lease:"), _read(source))

    finish(work())


def _upload(pair: str) -> tuple[str, bytes]:
    local, _, remote = pair.partition(":")
    return remote or Path(local).name, _read(local)


def _read(local: str) -> bytes:
    try:
        return Path(local).read_bytes()
    except OSError as error:
        raise BadInput(f"{local}: {error.strerror}") from None


def _write(local: str, content: bytes) -> None:
    try:
        Path(local).write_bytes(content)
    except OSError as error:
        raise BadInput(f"{local}: {error.strerror}") from None


def _pair(pair: str) -> tuple[str, str]:
    remote, _, local = pair.partition(":")
    return remote, local or Path(remote).name


def _variable(pair: str) -> tuple[str, str]:
    name, separator, value = pair.partition("=")
    if not separator or not name.isidentifier():
        raise BadInput(f"--env {pair!r}: expected NAME=VALUE")
    return name, value


def _json(state: JobState | None) -> dict[str, Any]:
    if state is None:
        return {"status": "running"}
    return {"status": state.status, "exitCode": state.exit_code, "reason": state.reason}


def _text(output: bytes) -> Any:
    try:
        return output.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(output).decode()}
