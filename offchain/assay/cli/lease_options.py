"""Options and endings that the renter's commands share."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from assay.chain.errors import ChainError
from assay.cli.output import OutputFormat, fail
from assay.protocol.hexadecimal import HexadecimalError
from assay.renter.errors import Declined, RenterError
from assay.renter.settings import RenterSettings

T = TypeVar("T")
LeaseId = Annotated[int, typer.Argument(help="number of the lease", min=1)]
Rpc = Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; again for more")]
DeploymentFile = Annotated[Path | None, typer.Option("--deployment", help="deployment file with addresses and ABIs")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="encrypted key file of the wallet")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="file with its password")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="folder of journals and handovers, default ~/.assay")]
Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="table or json")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show the calldata and send nothing")]


def settings_of(
    rpc: list[str] | None,
    deployment: Path | None,
    key_file: Path | None,
    password_file: Path | None,
    data_dir: Path | None,
) -> RenterSettings:
    """Settings from options over the environment. Ends the command for a value off its rule."""
    given = {
        "rpc": rpc,
        "deployment": deployment,
        "key_file": key_file,
        "password_file": password_file,
        "data_dir": data_dir,
    }
    try:
        return RenterSettings.load(given)
    except RenterError as error:
        stop(error)


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Runs it; what goes wrong becomes one line on standard error and the error's own exit status."""
    try:
        return asyncio.run(work)
    except (RenterError, ChainError, HexadecimalError) as error:
        stop(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def stop(error: Exception) -> NoReturn:
    """Ends the command with what was wrong."""
    fail(str(error), getattr(error, "exit_status", 2 if isinstance(error, HexadecimalError) else 1))


def note(text: str) -> None:
    """A line for people, on standard error."""
    sys.stderr.write(text + "\n")


def confirm(question: str, yes: bool) -> None:
    """Asks on the terminal unless `yes`. Raises Declined for a no, or where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Declined(f"{question} Nobody can be asked here: say --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("not confirmed, nothing was sent")
