"""assay validator: take a seat, run it, look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from assay.cli.output import OutputFormat, fail, show

commands = typer.Typer(help="Challenge devices and sign what was measured.", no_args_is_help=True)

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
Rpc = Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; again for more.")]
DeploymentFile = Annotated[Path | None, typer.Option("--deployment", help="Deployment file.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="Encrypted key file.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File with its password.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the databases.")]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="table or json.")]


def guarded(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine; what can be told to people is told, and the command ends with status 1."""
    from assay.chain.errors import ChainError
    from assay.validator.errors import ValidatorError

    try:
        return asyncio.run(work)
    except (ChainError, ValidatorError) as error:
        fail(str(error), 1)
    except PermissionError as error:
        fail(f"{error.filename}: no permission ({error.strerror})", 1)


@commands.command()
def run(
    config: Config = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    account: Annotated[str | None, typer.Option(help="Account that holds the seat.")] = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that verify openings.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the validator until it is told to stop."""
    from assay.chain.errors import ChainError
    from assay.validator import logs, process
    from assay.validator.errors import ValidatorError
    from assay.validator.settings import ValidatorSettings

    given = {
        "rpc": rpc,
        "deployment": deployment,
        "key_file": key_file,
        "password_file": password_file,
        "account": account,
        "data_dir": data_dir,
        "host": host,
        "port": port,
        "workers": workers,
        "log_level": log_level,
    }
    try:
        settings = ValidatorSettings.load(config, given)
        logs.configure(settings.log_level)
        key = process.load_key(settings)
    except (ChainError, ValidatorError) as error:
        fail(str(error), 1)
    guarded(process.run(settings, key))


@commands.command()
def join(
    endpoint: Annotated[str, typer.Option(help="Where other seats reach this validator, http(s)://host:port.")],
    config: Config = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    signer_key_file: Annotated[
        Path | None, typer.Option(help="Key that signs for the seat; the account's own where it is absent.")
    ] = None,
    signer_password_file: Annotated[Path | None, typer.Option(help="File with its password.")] = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Stake and take a seat. --key-file is the account that stakes."""
    from assay.chain import key_files
    from assay.chain.errors import ChainError
    from assay.validator import process
    from assay.validator.errors import ValidatorError
    from assay.validator.settings import ValidatorSettings

    given = {
        "rpc": rpc,
        "deployment": deployment,
        "key_file": key_file,
        "password_file": password_file,
        "data_dir": data_dir,
    }
    try:
        settings = ValidatorSettings.load(config, given)
        key = process.load_key(settings)
        signer = key
        if signer_key_file is not None:
            password = key_files.password(signer_password_file or settings.password_file)
            signer = key_files.load(signer_key_file, password)
    except (ChainError, ValidatorError) as error:
        fail(str(error), 1)
    joined = guarded(process.join(settings, key, signer, endpoint))
    show(
        {
            "account": joined.account,
            "signer": joined.signer,
            "staked": str(joined.staked),
            "transactions": [
                {"name": name, "hash": transaction, "gas": gas} for name, transaction, gas in joined.transactions
            ],
        },
        output,
    )
