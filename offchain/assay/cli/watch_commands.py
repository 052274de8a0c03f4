"""assay watch: check what validators publish and prove faults."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import fail

commands = typer.Typer(help="Check what validators publish and prove faults.")

LEVELS = ("debug", "info", "warning", "error")


@commands.callback(invoke_without_command=True)
def watch(
    rpc: Annotated[
        list[str] | None, typer.Option("--rpc", envvar="ASSAY_RPC", help="JSON-RPC address; again for more.")
    ] = None,
    deployment: Annotated[Path, typer.Option(envvar="ASSAY_DEPLOYMENT", help="Deployment file.")] = Path(
        "deployments/local.json"
    ),
    key_file: Annotated[
        Path, typer.Option(envvar="ASSAY_KEY_FILE", help="Encrypted key file that pays and earns bounties.")
    ] = Path("watcher.json"),
    password_file: Annotated[Path | None, typer.Option(help="File with its password.")] = None,
    data_dir: Annotated[Path, typer.Option(envvar="ASSAY_DATA_DIR", help="Folder of the databases.")] = Path(
        "watcher-data"
    ),
    validator: Annotated[
        list[str] | None, typer.Option(help="A validator's address beyond those announced; again for more.")
    ] = None,
    poll_seconds: Annotated[float, typer.Option(min=0.05, max=60, help="Seconds between looks.")] = 0.5,
    final_depth: Annotated[
        int | None,
        typer.Option(min=0, help="Blocks below the head that are final; absent: chain's own."),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Check every epoch and prove what is wrong, until told to stop."""
    from assay.chain import key_files
    from assay.chain.errors import ChainError
    from assay.watcher import logs, process
    from assay.watcher.errors import WatcherError

    if log_level not in LEVELS:
        fail(f"--log-level {log_level!r}: one of {', '.join(LEVELS)}")
    logs.configure(log_level)
    options = process.WatcherOptions(
        rpc=tuple(rpc or ("http://127.0.0.1:8545",)),
        deployment=deployment,
        data_dir=data_dir,
        validators=tuple(validator or ()),
        poll_s=poll_seconds,
        final_depth=final_depth,
    )
    try:
        key = key_files.load(key_file, key_files.password(password_file))
        asyncio.run(process.run(options, key))
    except (ChainError, WatcherError) as error:
        fail(str(error), 1)
    except PermissionError as error:
        fail(f"{error.filename}: no permission ({error.strerror})", 1)
