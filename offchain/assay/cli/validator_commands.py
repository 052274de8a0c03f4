"""assay validator: take a seat, run it, look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli import endings
from assay.cli.option_groups import OptionGroup, with_options
from assay.cli.output import OutputFormat, show
from assay.cli.renter import rewards

if TYPE_CHECKING:
    from assay.validator.settings import ValidatorSettings

commands = typer.Typer(
    help="Challenge devices and sign what they proved.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

# Of the account that holds the seat: --key-file, or --account to look.
commands.add_typer(rewards.commands, name="rewards")

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
Rpc = Annotated[list[str] | None, typer.Option("--rpc", help="JSON-RPC address; repeat for more.")]
DeploymentFile = Annotated[Path | None, typer.Option("--deployment", help="Deployment file.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File with its password.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the databases.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="table or json.")]


@dataclass(frozen=True)
class SigningKey(OptionGroup):
    """Which seat's key it is, and where what it signed is recorded."""

    config: Config = None
    deployment: DeploymentFile = None
    key_file: Annotated[Path | None, typer.Option("--key-file", help="Encrypted key file.")] = None
    password_file: PasswordFile = None
    data_dir: DataDir = None

    def settings(self, **more: Any) -> ValidatorSettings:
        """These and `more` over the environment over the settings file. Raises SettingsError."""
        from assay.validator.settings import ValidatorSettings

        given = {name: value for name, value in vars(self).items() if name != "config"}
        return ValidatorSettings.load({**given, **more}, self.config)


@dataclass(frozen=True)
class SeatOptions(SigningKey):
    """The same with the chain and the seat's certificate."""

    rpc: Rpc = None
    tls_dir: Annotated[Path | None, typer.Option("--tls-dir", help="Folder with certificate.pem and key.pem.")] = None


@contextmanager
def telling() -> Iterator[None]:
    """What can be told to people is told, and ends the command."""
    from assay.signing.errors import SigningError
    from assay.validator.errors import ValidatorError

    with endings.telling(ValidatorError, SigningError):
        yield


@commands.command()
@with_options
def run(
    seat: SeatOptions,
    account: Annotated[str | None, typer.Option(help="Account that holds the seat.")] = None,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int | None, typer.Option(help="Threads that verify openings.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the validator until stopped."""
    from assay.daemon import json_log
    from assay.validator import process

    with telling():
        settings = seat.settings(account=account, host=host, port=port, workers=workers, log_level=log_level)
        json_log.configure(settings.log_level)
        key = process.load_key(settings)
        asyncio.run(process.run(settings, key))


@commands.command()
@with_options
def join(
    endpoint: Annotated[str, typer.Option(help="Where other seats reach this validator, http(s)://host:port.")],
    seat: SeatOptions,
    signer_key_file: Annotated[
        Path | None, typer.Option(help="Key that signs for the seat; default the account's own.")
    ] = None,
    signer_password_file: Annotated[Path | None, typer.Option(help="File with its password.")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Stake and take a seat. --key-file is the account that stakes."""
    from assay.chain import key_files
    from assay.validator import process

    with telling():
        settings = seat.settings()
        key = process.load_key(settings)
        signer = key
        if signer_key_file is not None:
            password = key_files.password(signer_password_file or settings.password_file)
            signer = key_files.load(signer_key_file, password)
        joined = asyncio.run(process.join(settings, key, signer, endpoint))
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
@with_options
def endpoint(
    url: Annotated[str, typer.Argument(help="Where other seats reach this validator, https://host:port.")],
    seat: SeatOptions,
) -> None:
    """Announce a new address or certificate for a seat. --key-file is the account that holds it."""
    from assay.validator import process

    with telling():
        settings = seat.settings()
        transaction = asyncio.run(process.announce(settings, process.load_key(settings), url))
    show({"endpoint": url, "transaction": transaction}, OutputFormat.table)


@commands.command()
@with_options
def leave(seat: SeatOptions, output: Output = OutputFormat.table) -> None:
    """Give up a seat, or its place in the queue. --key-file is the account that holds it.

    It signs until the set changes, and must serve what it signed until its stake is free: leave the daemon running.
    """
    from assay.validator import process
    from assay.validator.chain.leaving import SeatStatus, waits

    with telling():
        settings = seat.settings()
        transaction, found = asyncio.run(process.leave(settings, process.load_key(settings)))
    show(
        {
            "account": found.account,
            "seat": found.status.name.lower(),
            # A seat that only waited is given back at once, and its stake with it.
            "leftFrom": None if found.status is SeatStatus.NONE else found.left_from,
            "releasableAt": None if found.status is SeatStatus.NONE else found.releasable_at,
            "waits": waits(found),
            "transaction": transaction,
        },
        output,
    )


@commands.command()
@with_options
def withdraw(
    seat: SeatOptions,
    amount: Annotated[
        str | None, typer.Argument(help="whole tokens of stake to ask back; default all that is free")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="who is paid; default the account itself")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Take out the stake that can be had now: what has unbonded, and that of a seat that has left.

    What is free then begins to unbond; type it again when that is over. --key-file is the account that staked.
    """
    from assay.chain.contracts.amounts import STAKE_DECIMALS
    from assay.protocol.hexadecimal import parse_address
    from assay.renter.errors import RenterError
    from assay.renter.money.amounts import parse_amount
    from assay.validator import process
    from assay.validator.chain.leaving import waits

    with telling(), endings.telling(RenterError):
        asked = parse_amount(amount, STAKE_DECIMALS) if amount else None
        receiver = parse_address(to, "--to") if to else None
        settings = seat.settings()
        plan, sent, found = asyncio.run(process.withdraw(settings, process.load_key(settings), receiver, asked))
    show(
        {
            "account": found.account,
            "released": str(plan.released),
            "paid": str(plan.paid),
            "asked": str(plan.asked),
            "waits": waits(found),
            "transactions": sent,
        },
        output,
    )


@commands.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the settings file, the key file and the databases.")],
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    password_file: PasswordFile = None,
) -> None:
    """Create a folder with a new key file, a certificate, and a settings file that explains every setting."""
    from assay.chain import key_files
    from assay.chain.certificate import create_certificate
    from assay.chain.new_files import together
    from assay.validator.settings_file import write_settings

    values = {
        "rpc": rpc,
        "deployment": deployment.absolute() if deployment else None,
        "key_file": (folder / "signer.json").absolute(),
        "password_file": password_file.absolute() if password_file else None,
        "data_dir": (folder / "data").absolute(),
        "tls_dir": (folder / "tls").absolute(),
    }
    with telling(), together(folder / "validator.toml", folder / "signer.json"):
        write_settings(folder / "validator.toml", values)
        key = key_files.create(folder / "signer.json", key_files.password(password_file))
        create_certificate(folder / "tls", "assay-validator")
    show({"settings": str(folder / "validator.toml"), "signer": key.address}, OutputFormat.table)


@commands.command()
def status(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Where the validator listens.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Show the status of the running validator."""
    from assay.validator.process import ask_status
    from assay.validator.settings import ValidatorSettings

    with telling():
        answer = asyncio.run(ask_status(ValidatorSettings.load({"host": host, "port": port}, config)))
    show(answer, output)


@commands.command()
def history(
    config: Config = None,
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many epochs.")] = 20,
    output: Output = OutputFormat.table,
) -> None:
    """Show how past epochs ended here."""
    from assay.validator.settings import ValidatorSettings
    from assay.validator.storage.history import history as read_history

    with telling():
        rows = read_history(ValidatorSettings.load({"data_dir": data_dir}, config).data_dir, limit)
    show({"epochs": rows} if output is OutputFormat.json else {str(r["epoch"]): _line(r) for r in rows}, output)


@commands.command(name="export")
@with_options
def export_record(out: Annotated[Path, typer.Option(help="File to write.")], key: SigningKey) -> None:
    """Write what this seat has signed, to move it to another machine. Stop the validator first, for good."""
    from assay.validator import process
    from assay.validator.storage import signing_record

    with telling():
        settings = key.settings()
        signing_record.export(settings, process.load_key(settings), out)
    show({"written": str(out)}, OutputFormat.table)


@commands.command(name="import")
@with_options
def import_record(
    file: Annotated[Path, typer.Option(help="File that `export` wrote.")],
    latest_epoch: Annotated[int, typer.Option(min=0, help="The current epoch: the seat sits out epochs up to it.")],
    key: SigningKey,
) -> None:
    """Import what the seat signed on another machine."""
    from assay.validator import process
    from assay.validator.storage import signing_record

    with telling():
        settings = key.settings()
        new = signing_record.take_over(settings, process.load_key(settings), file, latest_epoch)
    show({"new statements": new, "sits out until after epoch": latest_epoch}, OutputFormat.table)


@commands.command()
@with_options
def doctor(seat: SeatOptions, host: Host = None, port: Port = None, output: Output = OutputFormat.table) -> None:
    """Check every setting against the chain and the other seats. Exits with 1 if anything is wrong."""
    from assay.validator.doctor import Doctor

    with telling():
        checks = asyncio.run(Doctor(seat.settings(host=host, port=port)).examine())
    if output is OutputFormat.json:
        show({"checks": [{"name": c.name, "ok": c.ok, "found": c.found} for c in checks]}, output)
    else:
        show({c.name: f"{'ok' if c.ok else 'WRONG'}: {c.found}" for c in checks}, output)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _line(row: dict[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['outcome']}{reason}, {row['valid']} of {row['devices']} openings valid"
