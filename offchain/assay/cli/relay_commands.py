"""`assay relay`: public ports for providers without a public address."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.endings import telling

commands = typer.Typer(
    no_args_is_help=True,
    help="Be the public address of providers behind NAT, without reading what passes.",
    rich_markup_mode=None,
    add_completion=False,
)


@commands.callback()
def root() -> None:
    """Be the public address of providers behind NAT, without reading what passes."""


@commands.command()
def run(
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    rpc: Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more.")] = None,
    deployment: Annotated[Path | None, typer.Option("--deployment", help="Deployment file.")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder of certificate and ports.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port that providers connect to.")] = None,
    ports: Annotated[str | None, typer.Option("--ports", help="Public ports, FIRST-LAST.")] = None,
    device: Annotated[
        list[str] | None, typer.Option("--device", help="Id of a device that is let in; default all that are enrolled.")
    ] = None,
    rate: Annotated[int | None, typer.Option("--rate", help="Bytes a second of one provider account.")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
) -> None:
    """Take links of providers and pass on what their callers send, until stopped."""
    from assay.daemon import json_log
    from assay.relay import service
    from assay.relay.errors import RelayError
    from assay.relay.settings import RelaySettings

    given = {
        "rpc": rpc, "deployment": deployment, "data_dir": data_dir, "relay_host": host, "relay_port": port,
        "relay_ports": ports, "relay_devices": device, "relay_rate": rate, "log_level": log_level,
    }  # fmt: skip
    with telling(RelayError):
        settings = RelaySettings.load(given, config)
        json_log.configure(settings.log_level)
        asyncio.run(service.run(settings))
