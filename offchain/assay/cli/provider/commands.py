"""`assay provider`: put devices up for lease."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.option_groups import with_options
from assay.cli.output import OutputFormat, note, show, show_rows
from assay.cli.provider import admin, credit, install, leases, money, nodes, operators
from assay.cli.provider.endings import decimal_of, finish
from assay.cli.provider.options import DeviceKeys, Output, SendingOptions
from assay.protocol.hexadecimal import parse_bytes32, to_hex

commands = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Put devices up for lease.", add_completion=False
)


@commands.command()
@with_options
def enrol(
    given: SendingOptions,
    endpoint: Annotated[str, typer.Option("--endpoint", help="where others reach this provider, http(s)://…")],
    profile: Annotated[int, typer.Option("--profile", help="id of the profile")] = 1,
    tls_fingerprint: Annotated[
        str | None, typer.Option("--tls-fingerprint", help="H of the certificate's DER form, 0x…")
    ] = None,
    device_key: Annotated[
        Path | None, typer.Option("--device-key", help="device's key file; made where there is none")
    ] = None,
    gpu: Annotated[
        int | None, typer.Option("--gpu", help="index of the GPU; default the first, or the processor")
    ] = None,
    region: Annotated[str, typer.Option("--region", help="where the device stands, such as eu-west")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show the transactions and send nothing: for an account kept offline")
    ] = False,
    output: Output = OutputFormat.table,
) -> None:
    """Stake for a device, make its key, and enter it in the registry.

    Again: announce another endpoint, which an operator may do.
    """

    async def work() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        from assay.chain.certificate import fingerprint_in
        from assay.cli.renter.rows import planned_json
        from assay.provider.connection import sending
        from assay.provider.devices.device_keys import open_or_create
        from assay.provider.devices.enrolment import Announcement, enrolment
        from assay.provider.devices.enrolment import enrol as send_enrolment
        from assay.provider.devices.inventory import accelerator_at
        from assay.provider.devices.specifications import Specifications, checked_region
        from assay.provider.reading import reading
        from assay.renter.lease.planned import planned_call

        settings = given.settings()
        given_fingerprint = parse_bytes32(tls_fingerprint, "--tls-fingerprint") if tls_fingerprint else None
        fingerprint = given_fingerprint or fingerprint_in(settings.data_dir / "tls") or bytes(32)
        accelerator = accelerator_at(gpu)
        kept = Specifications(settings.data_dir)
        specification = accelerator.specification(checked_region(region))
        path = device_key or settings.devices_dir / "device.json"
        async with reading(settings) as looking:
            chain, provider = looking.chain, looking.provider
            key = open_or_create(path, settings.password_file, chain.chain_id)
            announcement = Announcement(endpoint, fingerprint)
            made = await enrolment(chain, provider, key, profile, announcement, specification, kept)
            if dry_run:
                return planned_json(planned_call(chain, call) for _, call in made.calls), {}
        done = []
        if made.calls:
            async with sending(settings) as at_hand:
                done = await send_enrolment(at_hand, made, _tell)
        else:
            _tell(
                f"{path} is enrolled and announced there already: nothing was sent; another card has a key of its own, "
                f"such as --gpu 1 --device-key {path.with_name('second.json')}"
            )
        return [], {
            "deviceId": to_hex(made.device_id),
            "provider": provider,
            "deviceKey": made.device_key,
            "keyFile": str(path),
            "profile": made.profile,
            "model": accelerator.model,
            "region": region,
            "endpoint": endpoint,
            "transactions": [{"name": name, "gas": gas} for name, gas in done],
        }

    planned, values = finish(work())
    if dry_run:
        from assay.cli.renter.rows import PLAN_COLUMNS

        return show_rows("transactions", planned, PLAN_COLUMNS, output)
    show(values, output)


def _tell(text: str) -> None:
    note(text)


@commands.command()
@with_options
def run(
    given: SendingOptions,
    host: Annotated[str | None, typer.Option("--host", help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option("--port", help="port to listen on")] = None,
    ssh_port: Annotated[int | None, typer.Option("--ssh-port", help="port of SSH; none by default")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="auto, cpu, reference; for demos and traps on a local chain: skipped-rows:FRACTION",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", help="container, bubblewrap, or local (on a local chain only)"),
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="address of the token of the price")] = None,
    price_per_hour: Annotated[
        str | None, typer.Option("--price-per-hour", help="price of each device in whole tokens")
    ] = None,
    min_duration: Annotated[int | None, typer.Option("--min-duration", help="shortest lease, seconds")] = None,
    max_duration: Annotated[int | None, typer.Option("--max-duration", help="longest lease, seconds")] = None,
    notice: Annotated[
        int | None, typer.Option("--notice", help="seconds of notice to take a device back; 0: none")
    ] = None,
    claim_every: Annotated[
        float | None, typer.Option("--claim-every", help="seconds between claims of a running lease's rent")
    ] = None,
    grace: Annotated[
        float | None, typer.Option("--grace", help="seconds in which files can be fetched after a lease")
    ] = None,
    device_key: DeviceKeys = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning, error")] = None,
) -> None:
    """Answer challenges, serve leases, run workloads, until stopped."""
    more = {
        "host": host, "port": port, "ssh_port": ssh_port, "engine": engine, "runtime": runtime, "token": token,
        "price_per_hour": decimal_of(price_per_hour, "--price-per-hour") if price_per_hour else None,
        "min_duration": min_duration, "max_duration": max_duration, "notice": notice,
        "claim_every": claim_every, "grace": grace, "device_key": device_key, "log_level": log_level,
    }  # fmt: skip

    async def work() -> None:
        from assay.daemon import json_log
        from assay.provider import daemon

        settings = given.settings(**more)
        json_log.configure(settings.log_level)
        await daemon.run(settings)

    finish(work())


commands.command(name="init")(admin.init)
commands.command(name="inventory")(admin.inventory)
commands.command(name="doctor")(admin.doctor)
commands.command(name="self-test")(admin.self_test)
commands.command(name="list")(admin.list_devices)
commands.command(name="price")(admin.price)
commands.command(name="drain")(admin.drain)
commands.command(name="earnings")(admin.earnings)
commands.command(name="notice")(leases.notice)
commands.command(name="release")(leases.release)
commands.command(name="end")(leases.end)
commands.command(name="retire")(money.retire)
commands.command(name="balance")(money.balance)
commands.command(name="withdraw")(money.withdraw)
commands.command(name="install")(install.install)
commands.command(name="uninstall")(install.uninstall)
commands.command(name="payout")(operators.payout)
commands.add_typer(nodes.commands, name="node")
commands.add_typer(operators.commands, name="operator")
commands.add_typer(credit.commands, name="credit")
commands.add_typer(money.rewards, name="rewards")
