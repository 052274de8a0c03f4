"""assay validator: take a seat, run it, look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from assay.cli.output import OutputFormat, fail, show

commands = typer.Typer(
    help="Challenge devices and sign what was measured.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
Rpc = Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; again for more.")]
DeploymentFile = Annotated[Path | None, typer.Option("--deployment", help="Deployment file.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="Encrypted key file.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File with its password.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the databases.")]
TlsDir = Annotated[Path | None, typer.Option("--tls-dir", help="Folder with certificate.pem and key.pem.")]
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
    tls_dir: TlsDir = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the validator until it is told to stop."""
    from assay.chain.errors import ChainError
    from assay.daemon import json_log
    from assay.validator import process
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
        "tls_dir": tls_dir,
        "log_level": log_level,
    }
    try:
        settings = ValidatorSettings.load(config, given)
        json_log.configure(settings.log_level)
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
    tls_dir: TlsDir = None,
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
        "tls_dir": tls_dir,
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


@commands.command()
def endpoint(
    url: Annotated[str, typer.Argument(help="Where other seats reach this validator, https://host:port.")],
    config: Config = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    tls_dir: TlsDir = None,
) -> None:
    """Announce another address, or another certificate, for a seat. --key-file is the account that holds it."""
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
        "tls_dir": tls_dir,
    }
    try:
        settings = ValidatorSettings.load(config, given)
        key = process.load_key(settings)
    except (ChainError, ValidatorError) as error:
        fail(str(error), 1)
    transaction = guarded(process.announce(settings, key, url))
    show({"endpoint": url, "transaction": transaction}, OutputFormat.table)


@commands.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the settings file, the key file and the databases.")],
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    password_file: PasswordFile = None,
) -> None:
    """Make a folder with a new key file, a certificate, and a settings file in which every setting is explained."""
    from assay.chain import key_files
    from assay.chain.certificate import create_certificate
    from assay.chain.errors import ChainError
    from assay.validator.errors import ValidatorError
    from assay.validator.settings_file import write_settings

    values = {
        "rpc": rpc,
        "deployment": deployment.absolute() if deployment else None,
        "key_file": (folder / "signer.json").absolute(),
        "password_file": password_file.absolute() if password_file else None,
        "data_dir": (folder / "data").absolute(),
        "tls_dir": (folder / "tls").absolute(),
    }
    try:
        write_settings(folder / "validator.toml", values)
        key = key_files.create(folder / "signer.json", key_files.password(password_file))
        create_certificate(folder / "tls", "assay-validator")
    except (ChainError, ValidatorError) as error:
        fail(str(error), 1)
    show({"settings": str(folder / "validator.toml"), "signer": key.address}, OutputFormat.table)


@commands.command()
def status(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Where the validator listens.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Ask the running validator how it is doing."""
    import httpx2

    from assay.chain.pinned_tls import pinned_context
    from assay.validator.errors import ValidatorError
    from assay.validator.process import certificate_of
    from assay.validator.settings import ValidatorSettings

    try:
        settings = ValidatorSettings.load(config, {"host": host, "port": port})
    except ValidatorError as error:
        fail(str(error), 1)
    scheme, certificate = ("https" if settings.tls_dir else "http"), certificate_of(settings)
    url = f"{scheme}://{settings.host}:{settings.port}/v1/status"
    verify = pinned_context(certificate) if any(certificate) else True
    try:
        answer = httpx2.get(url, timeout=5.0, trust_env=False, verify=verify).json()
    except (httpx2.HTTPError, ValueError) as error:
        fail(f"no validator answers at {url}: {error or type(error).__name__}; is it running?", 1)
    show(answer, output)


@commands.command()
def history(
    config: Config = None,
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many epochs.")] = 20,
    output: Output = OutputFormat.table,
) -> None:
    """Show how past epochs ended here."""
    from assay.validator.errors import ValidatorError
    from assay.validator.history import history as read_history
    from assay.validator.settings import ValidatorSettings

    try:
        rows = read_history(ValidatorSettings.load(config, {"data_dir": data_dir}).data_dir, limit)
    except ValidatorError as error:
        fail(str(error), 1)
    show({"epochs": rows} if output is OutputFormat.json else {str(r["epoch"]): _line(r) for r in rows}, output)


@commands.command(name="export")
def export_record(
    out: Annotated[Path, typer.Option(help="File to write.")],
    config: Config = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write what this seat has signed, to move it to another machine. Stop the validator first, for good."""
    from assay.chain.errors import ChainError
    from assay.signing.errors import SigningError
    from assay.validator import signing_record
    from assay.validator.errors import ValidatorError

    try:
        settings, key = _settings_and_key(config, deployment, key_file, password_file, data_dir)
        signing_record.export(settings, key, out)
    except (ChainError, ValidatorError, SigningError) as error:
        fail(str(error), 1)
    show({"written": str(out)}, OutputFormat.table)


@commands.command(name="import")
def import_record(
    file: Annotated[Path, typer.Option(help="File that `export` wrote.")],
    latest_epoch: Annotated[int, typer.Option(min=0, help="The epoch at work now: epochs up to it are sat out.")],
    config: Config = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Take over what the seat signed elsewhere."""
    from assay.chain.errors import ChainError
    from assay.signing.errors import SigningError
    from assay.validator import signing_record
    from assay.validator.errors import ValidatorError

    try:
        settings, key = _settings_and_key(config, deployment, key_file, password_file, data_dir)
        new = signing_record.take_over(settings, key, file, latest_epoch)
    except (ChainError, ValidatorError, SigningError) as error:
        fail(str(error), 1)
    show({"new statements": new, "sat out through epoch": latest_epoch}, OutputFormat.table)


@commands.command()
def doctor(
    config: Config = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Check every setting against the chain and the other seats; status 1 when anything is wrong."""
    from assay.validator.doctor import Doctor
    from assay.validator.errors import ValidatorError
    from assay.validator.settings import ValidatorSettings

    given = {
        "rpc": rpc,
        "deployment": deployment,
        "key_file": key_file,
        "password_file": password_file,
        "data_dir": data_dir,
        "host": host,
        "port": port,
    }
    try:
        settings = ValidatorSettings.load(config, given)
    except ValidatorError as error:
        fail(str(error), 1)
    checks = guarded(Doctor(settings).examine())
    if output is OutputFormat.json:
        show({"checks": [{"name": c.name, "ok": c.ok, "found": c.found} for c in checks]}, output)
    else:
        show({c.name: f"{'ok' if c.ok else 'WRONG'}: {c.found}" for c in checks}, output)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _line(row: dict[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['outcome']}{reason}, {row['valid']} of {row['devices']} openings valid"


def _settings_and_key(
    config: Path | None,
    deployment: Path | None,
    key_file: Path | None,
    password_file: Path | None,
    data_dir: Path | None,
) -> tuple[Any, Any]:
    from assay.validator import process
    from assay.validator.settings import ValidatorSettings

    given = {"deployment": deployment, "key_file": key_file, "password_file": password_file, "data_dir": data_dir}
    settings = ValidatorSettings.load(config, given)
    return settings, process.load_key(settings)
