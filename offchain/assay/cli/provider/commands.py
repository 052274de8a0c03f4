"""`assay provider`: put devices up for lease."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.option_groups import with_options
from assay.cli.provider import admin, credit, endpoints, enrolling, install, leases, money, nodes, operators
from assay.cli.provider.endings import decimal_of, finish
from assay.cli.provider.options import DeviceKeys, SendingOptions
from assay.provider.measurement.trap_engines import ENGINES_HELP

commands = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Offer devices for lease.", add_completion=False
)


@commands.command()
@with_options
def run(
    given: SendingOptions,
    host: Annotated[str | None, typer.Option("--host", help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option("--port", help="port to listen on")] = None,
    ssh_port: Annotated[int | None, typer.Option("--ssh-port", help="port of SSH; none by default")] = None,
    public_ports: Annotated[
        str | None, typer.Option("--public-ports", help="ports that may lead into pods, 30000-30999; none by default")
    ] = None,
    endpoint_domain: Annotated[
        str | None, typer.Option("--endpoint-domain", help="domain of names with HTTPS for pods; none by default")
    ] = None,
    relay: Annotated[
        str | None, typer.Option("--relay", help="relay that this host is reached through, https://HOST:PORT")
    ] = None,
    relay_fingerprint: Annotated[
        str | None, typer.Option("--relay-fingerprint", help="H of the relay's certificate, 0x…")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help=ENGINES_HELP),
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
        "host": host, "port": port, "ssh_port": ssh_port, "public_ports": public_ports, "engine": engine,
        "endpoint_domain": endpoint_domain, "relay": relay, "relay_fingerprint": relay_fingerprint,
        "runtime": runtime, "token": token,
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


commands.command(name="enrol")(enrolling.enrol)
commands.command(name="add-host")(enrolling.add_host)
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
commands.command(name="endpoints")(endpoints.endpoints)
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
