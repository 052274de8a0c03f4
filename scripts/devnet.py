"""A whole network on this machine: `ape run devnet demo` shows it at work, `up` leaves it on, `rehearsal` tests it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from assay.devnet.chain_node import NODES
from assay.devnet.demo.story import run_demo
from assay.devnet.errors import DevnetError
from assay.devnet.network import EPOCH_SECONDS, NetworkPlan
from assay.devnet.rehearsal.rehearse import DRILLS, run_rehearsal
from assay.devnet.up import keep_running

FOLDER = Path("build/devnet")
RENTERS = ("renter", "ada", "ben")
GUESTS = ("guest", "owner")


@click.group()
def cli() -> None:
    """Run a whole network on this machine."""


def _finish(work: object) -> None:
    """Run to the end; Ctrl-C and SIGTERM cancel, so that every child is stopped on the way out."""
    console = Console(stderr=True)

    async def cancellable() -> None:
        task = asyncio.ensure_future(work)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        await task

    try:
        asyncio.run(cancellable())
    except asyncio.CancelledError:
        console.print("stopped; everything that was started has ended")
        sys.exit(130)
    except DevnetError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        sys.exit(1)


EpochSeconds = click.option(
    "--epoch-seconds",
    type=click.IntRange(EPOCH_SECONDS, 3600),
    default=EPOCH_SECONDS,
    show_default=True,
    help="Length of an epoch; longer where the machine has other work.",
)

Node = click.option(
    "--node",
    type=click.Choice(sorted(NODES)),
    default="anvil",
    show_default=True,
    help="What runs the chain; `make hardhat` installs the other.",
)

Programs = click.option(
    "--programs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="Folder of the `assay` that all of it runs, as an installed wheel has it; this environment's by default.",
)


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Keys, logs and databases.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo.json"), help="What happened, as JSON.")
@click.option("--port", type=int, default=None, help="Port of the chain; a free one by default.")
@click.option(
    "--serve/--exit",
    default=None,
    help="Leave the market's pages up until Ctrl-C, or end at once; in a terminal the former.",
)
@click.option("--engine", default="cpu", show_default=True, help="What honest providers prove with.")
@Programs
@Node
@EpochSeconds
def demo(
    folder: Path,
    out: Path,
    port: int | None,
    serve: bool | None,
    engine: str,
    programs: Path | None,
    node: str,
    epoch_seconds: int,
) -> None:
    """Watch providers measured, a cheat slashed, a device leased and paid."""
    looked_at = sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")
    plan = NetworkPlan(
        folder=folder, port=port, epoch_seconds=epoch_seconds, engine=engine, node=node, programs=programs
    )
    _finish(run_demo(plan, out, looked_at if serve is None else serve))


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Keys, logs and databases.")
@click.option("--port", type=int, default=8545, show_default=True, help="Port of the chain.")
@Node
@EpochSeconds
def up(folder: Path, port: int, node: str, epoch_seconds: int) -> None:
    """Leave a network running and print where and with which keys."""
    plan = NetworkPlan(folder=folder, port=port, renters=RENTERS, guests=GUESTS, epoch_seconds=epoch_seconds, node=node)
    _finish(keep_running(plan))


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Keys, logs and databases.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="What was seen; build/rehearsal-NODE.json.")
@click.option("--drill", "drills", type=click.Choice(list(DRILLS)), multiple=True, help="One drill; again for more.")
@Node
@EpochSeconds
def rehearsal(folder: Path, out: Path | None, drills: tuple[str, ...], node: str, epoch_seconds: int) -> None:
    """Rehearse a launch: seats killed, a reorganisation, a pause, a veto, a decision, a sunset, a second deployment."""
    plan = NetworkPlan(folder=folder, epoch_seconds=epoch_seconds, node=node)
    _finish(run_rehearsal(plan, out or Path(f"build/rehearsal-{node}.json"), drills or tuple(DRILLS)))
