"""`assay market`: index the network and serve its pages and API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.endings import telling
from assay.daemon.json_log import configure as configure_logs
from assay.market.errors import MarketError
from assay.market.service import run as run_market
from assay.market.settings import MarketSettings

commands = typer.Typer(
    no_args_is_help=True,
    help="Index the network; search it in a browser or over HTTP.",
    rich_markup_mode=None,
    add_completion=False,
)


@commands.callback()
def root() -> None:
    """Index the network; search it in a browser or over HTTP."""


@commands.command()
def run(
    rpc: Annotated[
        list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more, or separate by commas.")
    ] = None,
    deployment: Annotated[Path | None, typer.Option(help="The deployment file.")] = None,
    database: Annotated[str | None, typer.Option(help="A file for SQLite, or postgresql://USER@HOST/NAME.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", min=1, max=65535)] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second that one client address may make.")] = None,
    burst: Annotated[int | None, typer.Option(help="Requests that one client address may make at once.")] = None,
    poll_seconds: Annotated[float | None, typer.Option(help="Seconds between looks at the chain.")] = None,
    offer_poll: Annotated[float | None, typer.Option(help="Seconds between fetches of offers.")] = None,
    keep_epochs: Annotated[
        int | None, typer.Option(help="Epochs whose report lines are kept; 0 keeps all.", min=0)
    ] = None,
    keep_observations: Annotated[
        int | None, typer.Option(help="Epochs whose observations by single seats are kept; 0 keeps all.", min=0)
    ] = None,
    keep_event_days: Annotated[int | None, typer.Option(help="Days that events are kept; 0 keeps all.", min=0)] = None,
    streams: Annotated[int | None, typer.Option(help="Event streams open at once.", min=1)] = None,
    streams_each: Annotated[int | None, typer.Option(help="Event streams open at once to one address.", min=1)] = None,
    public_rpc: Annotated[
        str | None, typer.Option(help="JSON-RPC address that pages give to wallets that do not know the chain.")
    ] = None,
    stale_seconds: Annotated[
        float | None,
        typer.Option(
            help="Age of the newest block from which the chain counts as stalled; 0: derived from the chain.", min=0
        ),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    final_depth: Annotated[int | None, typer.Option(help="Blocks below the head that count as final.")] = None,
) -> None:
    """Follow the chain, fetch offers and reports, serve pages and API."""
    given = {
        "rpc": rpc, "deployment": deployment, "market_database": database, "market_host": host,
        "market_port": port, "market_rate": rate, "market_burst": burst, "poll_seconds": poll_seconds,
        "offer_poll": offer_poll, "keep_epochs": keep_epochs,
        "keep_observations": keep_observations, "keep_event_days": keep_event_days, "market_streams": streams,
        "market_streams_each": streams_each, "market_stale_seconds": stale_seconds, "market_public_rpc": public_rpc,
        "final_depth": final_depth, "log_level": log_level,
    }  # fmt: skip
    with telling(MarketError):
        settings = MarketSettings.load(given)
        configure_logs(settings.log_level)
        asyncio.run(run_market(settings))
