"""assay watch: check what validators publish and prove faults."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import fail

commands = typer.Typer(
    help="Check what validators publish and prove faults.", rich_markup_mode=None, add_completion=False
)

LEVELS = ("debug", "info", "warning", "error")
Rpc = Annotated[list[str] | None, typer.Option("--rpc", envvar="ASSAY_RPC", help="JSON-RPC address; again for more.")]
DeploymentFile = Annotated[Path, typer.Option("--deployment", envvar="ASSAY_DEPLOYMENT", help="Deployment file.")]
KeyFile = Annotated[
    Path, typer.Option("--key-file", envvar="ASSAY_KEY_FILE", help="Key file that pays and earns bounties.")
]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File with its password.")]
DataDir = Annotated[Path, typer.Option("--data-dir", envvar="ASSAY_DATA_DIR", help="Folder of the databases.")]
Validator = Annotated[
    list[str] | None, typer.Option(help="A validator's address beyond those announced; again for more.")
]
PollSeconds = Annotated[float, typer.Option(min=0.05, max=60, help="Seconds between looks.")]
FinalDepth = Annotated[
    int | None, typer.Option(min=0, help="Blocks below the head that are final; absent: chain's own.")
]
MostDemands = Annotated[
    int, typer.Option(min=0, max=100, help="Openings demanded on-chain at once, each with a bond; 0 for none.")
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]


@commands.callback(invoke_without_command=True)
def watch(
    context: typer.Context,
    rpc: Rpc = None,
    deployment: DeploymentFile = Path("deployments/local.json"),
    key_file: KeyFile = Path("watcher.json"),
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("watcher-data"),
    validator: Validator = None,
    poll_seconds: PollSeconds = 0.5,
    final_depth: FinalDepth = None,
    most_demands: MostDemands = 4,
    log_level: LogLevel = "info",
) -> None:
    """Check every epoch and prove what is wrong, until told to stop."""
    if context.invoked_subcommand is None:
        run(
            rpc,
            deployment,
            key_file,
            password_file,
            data_dir,
            validator,
            poll_seconds,
            final_depth,
            most_demands,
            log_level,
        )


@commands.command()
def run(
    rpc: Rpc = None,
    deployment: DeploymentFile = Path("deployments/local.json"),
    key_file: KeyFile = Path("watcher.json"),
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("watcher-data"),
    validator: Validator = None,
    poll_seconds: PollSeconds = 0.5,
    final_depth: FinalDepth = None,
    most_demands: MostDemands = 4,
    log_level: LogLevel = "info",
) -> None:
    """The same as `assay watch`."""
    from assay.chain import key_files
    from assay.chain.errors import ChainError
    from assay.daemon import json_log
    from assay.watcher import process
    from assay.watcher.errors import WatcherError

    if log_level not in LEVELS:
        fail(f"--log-level {log_level!r}: one of {', '.join(LEVELS)}")
    json_log.configure(log_level)
    options = process.WatcherOptions(
        rpc=tuple(rpc or ("http://127.0.0.1:8545",)),
        deployment=deployment,
        data_dir=data_dir,
        validators=tuple(validator or ()),
        poll_s=poll_seconds,
        final_depth=final_depth,
        most_demands=most_demands,
    )
    try:
        key = key_files.load(key_file, key_files.password(password_file))
        asyncio.run(process.run(options, key))
    except (ChainError, WatcherError) as error:
        fail(str(error), 1)
    except PermissionError as error:
        fail(f"{error.filename}: no permission ({error.strerror})", 1)
