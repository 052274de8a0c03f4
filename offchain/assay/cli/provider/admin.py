"""Provider commands beside the daemon: look, test, price, drain."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, fail, note, show, show_rows
from assay.cli.provider.endings import decimal_of, finish
from assay.cli.provider.options import (
    DataDir,
    DeviceKeys,
    Output,
    PasswordFile,
    PriceOptions,
    ReadingOptions,
    SendingOptions,
)
from assay.cli.renter.texts import host_text
from assay.proof.engines.registry import NAMES
from assay.protocol.profile import NAMED
from assay.protocol.specification import DeclaredHost
from assay.provider.settings import ProviderSettings

DEVICE_COLUMNS = {
    "deviceId": "device",
    "status": "status",
    "profile": "profile",
    "endpoint": "endpoint",
    "host": "of its host, declared",
    "lease": "lease",
    "leasedUntil": "leased until",
    "leftEarly": "left early",
    "offerNonceFloor": "offers from nonce",
}


def init(
    directory: Annotated[Path | None, typer.Argument(help="folder to set up; ~/.assay/provider by default")] = None,
    password_file: PasswordFile = None,
    local: Annotated[bool, typer.Option("--local", help="cheap key derivation, for local chains")] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Make a provider's key, a device key for each card (or for the processor) and a TLS certificate."""

    async def work() -> dict[str, Any]:
        from assay.chain.certificate import create_certificate
        from assay.chain.key_files import create, password
        from assay.chain.new_files import together
        from assay.provider.devices.inventory import read_inventory

        folder = ProviderSettings.load({"data_dir": directory}).data_dir
        secret = password(password_file)
        found = await asyncio.to_thread(read_inventory)
        files = {one.uuid: folder / "devices" / f"{one.key_name}.json" for one in found.accelerators}
        with together(folder / "provider.json", *files.values()):
            key = create(folder / "provider.json", secret, light=local)
            devices = [(card, path, create(path, secret, light=local)) for card, path in files.items()]
            fingerprint = create_certificate(folder / "tls")
        for bad in found.faults:
            note(f"no key for {bad}")
        return {
            "provider": key.address,
            "keyFile": str(folder / "provider.json"),
            "devices": [{"card": card, "key": made.address, "keyFile": str(path)} for card, path, made in devices],
            "tlsFingerprint": "0x" + fingerprint.hex(),
        }

    show(finish(work()), output)


def inventory(output: Output = OutputFormat.table) -> None:
    """List the devices of this machine."""
    from assay.provider.devices.inventory import read_inventory

    found = read_inventory()
    if output is OutputFormat.json:
        show(asdict(found), output)
        return
    devices = [asdict(one) for one in found.accelerators]
    if output is OutputFormat.csv:
        show_rows("accelerators", devices, {}, output)
    else:
        for device in devices:
            show(device, output)
    for bad in found.faults:
        note(f"cannot be used: {bad}")
    if found.reason:
        note(f"no GPU: {found.reason}")


@with_options
def doctor(
    sending: SendingOptions,
    device_key: DeviceKeys = None,
    host: Annotated[str | None, typer.Option("--host")] = None,
    port: Annotated[int | None, typer.Option("--port")] = None,
    ssh_port: Annotated[int | None, typer.Option("--ssh-port")] = None,
    runtime: Annotated[str | None, typer.Option("--runtime")] = None,
    token: Annotated[str | None, typer.Option("--token", help="address of the token of the price")] = None,
    price_per_hour: Annotated[str | None, typer.Option("--price-per-hour", help="as `run` will be given it")] = None,
    min_duration: Annotated[int | None, typer.Option("--min-duration", help="as `run` will be given it")] = None,
    output: Output = OutputFormat.table,
) -> None:
    """Check everything that a rental will need, from the driver to what seats see of this host from outside.

    Give it the options that `run` has. Ends with 1 where something is wrong.
    """
    more = {
        "device_key": device_key, "host": host, "port": port, "ssh_port": ssh_port, "runtime": runtime, "token": token,
        "price_per_hour": decimal_of(price_per_hour, "--price-per-hour") if price_per_hour else None,
        "min_duration": min_duration,
    }  # fmt: skip

    async def work() -> list[Any]:
        from assay.provider.doctor.examine import examine

        note("looking; some seats are asked to dial this host, which takes some seconds…")
        return await examine(sending.settings(**more))

    findings = finish(work())
    rows = [{**asdict(one), "level": one.level.value, "fine": one.fine} for one in findings]
    columns = {"level": "", "check": "check", "found": "found", "todo": "what to do"}
    show_rows("findings", rows, columns, output)
    raise typer.Exit(0 if all(one.fine for one in findings) else 1)


def self_test(
    profile: Annotated[str, typer.Option("--profile-name", help=", ".join(NAMED))] = "micro",
    engine: Annotated[str, typer.Option("--engine", help=", ".join(NAMES))] = "auto",
    output: Output = OutputFormat.table,
) -> None:
    """Prove, open and verify once, show the times, and say which class a card belongs in."""
    if profile not in NAMED:
        fail(f"--profile-name {profile!r}: one of {', '.join(NAMED)}")

    async def work() -> dict[str, Any]:
        from assay.proof.engines import engine as engine_named
        from assay.provider.measurement.classes import why
        from assay.provider.measurement.self_test import class_advice
        from assay.provider.measurement.self_test import self_test as test

        chosen = await asyncio.to_thread(engine_named, engine)
        result = await asyncio.to_thread(test, chosen, NAMED[profile])
        shown = {k: round(v, 2) if isinstance(v, float) else v for k, v in asdict(result).items()}
        if fits := await asyncio.to_thread(class_advice, chosen):
            shown |= {"advice": why(fits), "classes": [asdict(fit) for fit in fits]}
        return shown

    result = finish(work())
    show(result, output)
    raise typer.Exit(0 if result["valid"] else 1)


@with_options
def list_devices(
    given: ReadingOptions,
    output: Output = OutputFormat.table,
) -> None:
    """List devices, leases and endpoints from the chain."""

    async def work() -> tuple[str, list[dict[str, Any]]]:
        from assay.provider.account.standing import devices_of
        from assay.provider.devices.specifications import Specifications
        from assay.provider.reading import reading

        settings = given.settings()
        async with reading(settings) as authority:
            return authority.provider, await devices_of(authority, Specifications(settings.data_dir))

    provider, rows = finish(work())
    if output is OutputFormat.table:
        rows = [
            {
                **row,
                "host": host_text(DeclaredHost.parse(row["host"])),
                "leasedUntil": _moment(row["leasedUntil"]),
                "leftEarly": _yes(row["leftEarly"]),
            }
            for row in rows
        ]
    show_rows("devices", rows, DEVICE_COLUMNS, output, tuple(DEVICE_COLUMNS))
    if not rows:
        note(f"{provider} has no device in the registry: `assay provider enrol` enters one")


@with_options
def earnings(
    given: ReadingOptions,
    output: Output = OutputFormat.table,
) -> None:
    """Show rent, bond credit, the network's rewards, and the stake: in tokens, or in base units as JSON and CSV."""

    async def work() -> dict[str, Any]:
        from assay.cli.renter.reward_rows import rewards_json, rewards_line
        from assay.provider.account.standing import earnings_of, in_tokens
        from assay.provider.reading import reading
        from assay.renter.money.rewards import find_rewards

        async with reading(given.settings()) as authority:
            chain, provider = authority.chain, authority.provider
            earned, rewards = await earnings_of(chain, provider), await find_rewards(chain, provider)
            if output is OutputFormat.table:
                return {**await in_tokens(chain, earned), **await rewards_line(chain, rewards)}
            return {**earned, "rewards": rewards_json(rewards)}

    show(finish(work()), output)


@with_options
def price(
    options: PriceOptions,
    given: ReadingOptions,
    device: Annotated[str, typer.Argument(help="device id, 0x…, or its first digits")],
    per_hour: Annotated[str, typer.Argument(help="whole tokens an hour")],
    cancel: Annotated[
        bool, typer.Option("--cancel", help="have the daemon cancel earlier offers on the chain")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Set a device's price at once, without a transaction."""

    async def work() -> dict[str, Any]:
        from assay.chain.contracts.leases import nonce_floor
        from assay.protocol.hexadecimal import to_hex
        from assay.provider.account.finality import devices_when_final
        from assay.provider.account.standing import device_named
        from assay.provider.offers.terms import TermsFile
        from assay.provider.reading import reading

        settings = given.settings()
        file = TermsFile(existing(settings.data_dir))
        known = file.read()
        async with reading(settings) as authority:
            device_id = device_named(device, await devices_when_final(authority, note, [device]), authority.provider)
            price = await options.price(authority.chain, known, to_hex(device_id), per_hour, settings.token)
            floor = await nonce_floor(authority.chain, device_id, authority.signer, "latest")
        terms = known.with_price(to_hex(device_id), price)
        if cancel:
            terms = terms.with_floors({to_hex(device_id): floor + 1})
        file.write(terms)
        return {
            "deviceId": to_hex(device_id),
            "pricePerHour": per_hour,
            "rate": str(price.rate),
            "token": price.token,
            "notice": price.notice,
            "cancelled": cancel,
        }

    show(finish(work()), output)


def drain(
    off: Annotated[bool, typer.Option("--off", help="take new leases again")] = False,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Stop offering devices; leases that run go on."""

    async def work() -> dict[str, Any]:
        from assay.provider.offers.terms import TermsFile

        file = TermsFile(existing(ProviderSettings.load({"data_dir": data_dir}).data_dir))
        file.write(replace(file.read(), draining=not off))
        return {"draining": not off}

    show(finish(work()), output)


def existing(data_dir: Path) -> Path:
    """The folder itself. Raises BadSetting where there is none: nobody heeds terms in a mistyped one."""
    from assay.provider.errors import BadProviderSetting

    if not data_dir.is_dir():
        raise BadProviderSetting(f"{data_dir}: no such folder; name the one that the daemon uses with --data-dir")
    return data_dir


def _moment(seconds: int | None) -> str:
    from assay.cli.renter.texts import moment

    return "" if seconds is None else moment(seconds)


def _yes(true: bool) -> str:
    return "yes" if true else ""
