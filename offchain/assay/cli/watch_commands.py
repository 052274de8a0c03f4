"""assay watch: check what validators publish and prove faults."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.endings import telling
from assay.cli.option_groups import OptionGroup, with_options

commands = typer.Typer(
    help="Check what validators publish and prove faults.", rich_markup_mode=None, add_completion=False
)


@dataclass(frozen=True)
class Watching(OptionGroup):
    """What is watched, and with what. Each option is an ASSAY_ variable too."""

    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None
    rpc: Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more.")] = None
    deployment: Annotated[Path | None, typer.Option("--deployment", help="Deployment file.")] = None
    key_file: Annotated[Path | None, typer.Option("--key-file", help="Key file that pays and earns bounties.")] = None
    password_file: Annotated[Path | None, typer.Option("--password-file", help="File with its password.")] = None
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder of the databases.")] = None
    validator: Annotated[
        list[str] | None, typer.Option(help="A validator's address besides those announced; repeat for more.")
    ] = None
    poll_seconds: Annotated[float | None, typer.Option(help="Seconds between looks.")] = None
    final_depth: Annotated[
        int | None, typer.Option(help="Blocks below the head that count as final; default the chain's own.")
    ] = None
    max_demands: Annotated[
        int | None,
        typer.Option(help="Openings demanded on the chain at once, each with a bond; 0 for none; default 4."),
    ] = None
    demand_rows: Annotated[int | None, typer.Option(help="Rows demanded of a device in an epoch.")] = None
    demand_loss: Annotated[
        str | None,
        typer.Option(
            help="Network tokens that answers of one device may cost in a proof window; beyond that it is not asked."
            " 50 by default."
        ),
    ] = None
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None


@commands.callback(invoke_without_command=True)
@with_options
def watch(context: typer.Context, watching: Watching) -> None:
    """Check every epoch and prove faults, until stopped."""
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
    from assay.watcher.errors import WatcherError
    from assay.watcher.settings import WatcherSettings

    with telling(WatcherError):
        given = {name: value for name, value in vars(watching).items() if name != "config"}
        settings = WatcherSettings.load(given, watching.config)
        json_log.configure(settings.log_level)
        asyncio.run(process.run(settings, key_files.open_key(settings.key_file, settings.password_file)))
