"""assay watch: check what validators publish and prove faults."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.endings import telling
from assay.cli.option_groups import OptionGroup, with_options
from assay.cli.output import fail

commands = typer.Typer(
    help="Check what validators publish and prove faults.", rich_markup_mode=None, add_completion=False
)

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Watching(OptionGroup):
    """What is watched, and with what."""

    rpc: Annotated[
        list[str] | None, typer.Option("--rpc", envvar="ASSAY_RPC", help="JSON-RPC address; again for more.")
    ] = None
    deployment: Annotated[Path, typer.Option("--deployment", envvar="ASSAY_DEPLOYMENT", help="Deployment file.")] = (
        Path("deployments/local.json")
    )
    key_file: Annotated[
        Path, typer.Option("--key-file", envvar="ASSAY_KEY_FILE", help="Key file that pays and earns bounties.")
    ] = Path("watcher.json")
    password_file: Annotated[Path | None, typer.Option("--password-file", help="File with its password.")] = None
    data_dir: Annotated[Path, typer.Option("--data-dir", envvar="ASSAY_DATA_DIR", help="Folder of the databases.")] = (
        Path("watcher-data")
    )
    validator: Annotated[
        list[str] | None, typer.Option(help="A validator's address beyond those announced; again for more.")
    ] = None
    poll_seconds: Annotated[float, typer.Option(min=0.05, max=60, help="Seconds between looks.")] = 0.5
    final_depth: Annotated[
        int | None, typer.Option(min=0, help="Blocks below the head that are final; absent: chain's own.")
    ] = None
    most_demands: Annotated[
        int, typer.Option(min=0, max=1000, help="Openings demanded on-chain at once, each with a bond; 0 for none.")
    ] = 4
    demand_rows: Annotated[int, typer.Option(min=1, max=256, help="Rows demanded of a device in an epoch.")] = 1
    demand_loss: Annotated[
        str,
        typer.Option(help="Network tokens that answers of one device may cost in a proof window; it is asked no more."),
    ] = "50"
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info"


@commands.callback(invoke_without_command=True)
@with_options
def watch(context: typer.Context, watching: Watching) -> None:
    """Check every epoch and prove what is wrong, until told to stop."""
    if context.invoked_subcommand is None:
        _run(watching)


@commands.command()
@with_options
def run(watching: Watching) -> None:
    """The same as `assay watch`."""
    _run(watching)


def _run(watching: Watching) -> None:
    from assay.chain import key_files
    from assay.daemon import json_log
    from assay.watcher import process
    from assay.watcher.demands import DemandLimits
    from assay.watcher.errors import WatcherError

    if watching.log_level not in LEVELS:
        fail(f"--log-level {watching.log_level!r}: one of {', '.join(LEVELS)}")
    json_log.configure(watching.log_level)
    try:
        loss = int(Decimal(watching.demand_loss) * 10**18)
    except (InvalidOperation, OverflowError, ValueError):
        fail(f"--demand-loss {watching.demand_loss!r}: a number of network tokens")
    if loss < 0:
        fail(f"--demand-loss {watching.demand_loss!r}: 0 or more")
    options = process.WatcherOptions(
        rpc=tuple(watching.rpc or ("http://127.0.0.1:8545",)),
        deployment=watching.deployment,
        data_dir=watching.data_dir,
        validators=tuple(watching.validator or ()),
        poll_s=watching.poll_seconds,
        final_depth=watching.final_depth,
        limits=DemandLimits(watching.most_demands, watching.demand_rows, loss),
    )
    with telling(WatcherError):
        key = key_files.load(watching.key_file, key_files.password(watching.password_file))
        asyncio.run(process.run(options, key))
