"""`assay ssh`, `assay notebook`, `assay export`."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.output import note
from assay.cli.renter.options import Connection, LeaseId, finish, renter_command
from assay.renter.errors import BadInput, NoDevice, NoJob, Unreachable
from assay.renter.lease.lease_rights import require_running
from assay.renter.lease.leaving import Free
from assay.renter.session.exports import ExportForm, exported
from assay.renter.session.local_proxy import local_proxy
from assay.renter.session.ssh_access import SshAccess, open_access

if TYPE_CHECKING:
    from assay.renter.lease.lease_views import LeaseView
    from assay.renter.renter import Renter
    from assay.renter.session.provider_session import ProviderSession

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LOOK_S = 3.0


@renter_command(commands, "ssh", ignore_unknown_options=True)
def ssh(
    lease: LeaseId,
    connection: Connection,
    command: Annotated[list[str] | None, typer.Argument(help="command to run; default a shell")] = None,
    forward: Annotated[
        list[str] | None, typer.Option("-L", help="PORT:localhost:PORT, forward a local port into the lease")
    ] = None,
    back: Annotated[
        list[str] | None, typer.Option("-R", help="PORT:localhost:PORT, forward a port of the lease to this machine")
    ] = None,
    socks: Annotated[
        list[str] | None, typer.Option("-D", help="local PORT of a SOCKS proxy to the lease's ports")
    ] = None,
    agent: Annotated[bool, typer.Option("-A", help="let the lease use this machine's SSH agent")] = False,
    config: Annotated[
        bool, typer.Option("--config", help="print a section for ~/.ssh/config: for scp, rsync, VS Code")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="print the ssh command instead of running it")] = False,
) -> None:
    """Open a shell on a lease with OpenSSH, or run a command there; the provider's host key is pinned."""

    async def work() -> SshAccess:
        async with connection.renter() as renter:
            return await _access(renter, lease, connection)

    access = finish(work)
    if config:
        sys.stdout.write(access.configuration())
        return
    named = (("-L", forward), ("-R", back), ("-D", socks))
    flags = [part for flag, values in named for value in values or () for part in (flag, value)]
    line = access.command(*(command or []), flags=[*flags, "-A"] if agent else flags)
    if show:
        sys.stdout.write(shlex.join(line) + "\n")
        return
    sys.stdout.flush()
    try:
        os.execvp(line[0], line)  # noqa: S606
    except FileNotFoundError:
        raise BadInput("no ssh on this machine: install OpenSSH's client (package openssh-client)") from None


@renter_command(commands, "notebook")
async def notebook(
    lease: LeaseId,
    connection: Connection,
    port: Annotated[int, typer.Option("--port", help="local port; default a free one", min=0)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open it in a browser")] = True,
) -> None:
    """Start a lease's notebook, forward a local port to it until Ctrl-C, and open it in a browser."""
    async with connection.renter() as renter:
        session = await renter.session(lease)
        async with local_proxy(session.endpoint, renter.addresses, port) as address:
            note("starting the notebook…")
            started = await session.notebook()
            link = address + started.path
            sys.stdout.write(link + "\n")
            sys.stdout.flush()
            note("the link works once, within a minute; Ctrl-C closes the port, the notebook runs on with the lease")
            if browser:
                await asyncio.to_thread(webbrowser.open, link)
            await _until_over(session, started.job_id)


@renter_command(commands, "export")
async def export(
    form: Annotated[ExportForm, typer.Argument(help="for which tool")],
    connection: Connection,
    leases: Annotated[list[int] | None, typer.Argument(help="leases; default all that run")] = None,
    name: Annotated[str, typer.Option("--name", help="name of the pool or fleet")] = "assay",
) -> None:
    """Print the configuration that other tools need to reach leases by SSH."""
    async with connection.renter() as renter:
        chosen = leases or [one.lease.lease_id for one in await renter.own_leases() if _runs(one)]
        if not chosen:
            raise NoDevice("this wallet has no running lease: `assay rent` gets one")
        accesses = [await _access(renter, lease, connection) for lease in chosen]
    sys.stdout.write(exported(form, accesses, name))


def _runs(view: LeaseView) -> bool:
    return view.leaving.free is not Free.over and view.lease.start > 0 and not view.lease.left_early


async def _until_over(session: ProviderSession, job_id: str) -> None:
    """Stays while the notebook runs. Raises NoJob with the reason when it does not."""
    while True:
        try:
            state = await session.job(job_id)
        except Unreachable as error:
            note(f"failed this time, trying again in {LOOK_S:.0f} s: {error}")
        else:
            if state.over:
                raise NoJob(f"the notebook has ended: {state.reason or f'exit code {state.exit_code}'}")
        await asyncio.sleep(LOOK_S)


async def _access(renter: Renter, lease: int, connection: Connection) -> SshAccess:
    require_running(await renter.lease(lease), time.time(), "a shell")
    session = await renter.session(lease)
    return await open_access(session, lease, connection.settings().data_dir)
