"""Renter commands around a lease: shell, keeping, quotes, lists, the wallet."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from typing import Annotated, Any

import typer

from assay.chain.erc20 import Erc20
from assay.cli.lease_options import (
    DataDir,
    DeploymentFile,
    KeyFile,
    LeaseId,
    Output,
    PasswordFile,
    Rpc,
    Yes,
    confirm,
    finish,
    note,
    settings_of,
)
from assay.cli.lease_rows import listing_json
from assay.cli.output import OutputFormat, show
from assay.protocol.hexadecimal import parse_bytes32
from assay.renter.keeping import Hands, Policy, keep
from assay.renter.money import parse_amount, parse_duration, show_amount
from assay.renter.renter import Renter
from assay.renter.ssh_access import SshAccess, open_access


def ssh(
    lease: LeaseId,
    command: Annotated[list[str] | None, typer.Argument(help="command; a shell without one")] = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Open a shell on a lease with the OpenSSH client."""
    access = finish(_access(lease, settings_of(rpc, deployment, key_file, password_file, data_dir)))
    line = access.command(*(command or []))
    os.execvp(line[0], line)  # noqa: S606


def export(
    lease: LeaseId,
    form: Annotated[str, typer.Argument(help="ssh-config or json")] = "ssh-config",
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print how other tools reach a lease: a section for ~/.ssh/config, or JSON."""
    access = finish(_access(lease, settings_of(rpc, deployment, key_file, password_file, data_dir)))
    if form == "json":
        fields = {name: str(value) for name, value in vars(access).items()}
        sys.stdout.write(json.dumps(fields) + "\n")
    else:
        sys.stdout.write(access.configuration())


async def _access(lease: int, settings: Any) -> SshAccess:
    async with Renter.connect(settings) as renter:
        session = await renter.session(lease)
        return await open_access(session, session.endpoint, lease, settings.folder)


def quote(
    device: Annotated[str, typer.Argument(help="deviceId, 32 bytes as 0x…")],
    duration: Annotated[str, typer.Option("--duration", help="90s, 15m, 2h, 1d")] = "1h",
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Ask a provider for a price for this wallet alone."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            listing = await renter.listing(parse_bytes32(device, "device"))
            signed = await renter.quote(listing.device, parse_duration(duration))
            return listing_json(replace(listing, signed=signed))

    show(finish(work()), output)


def list_leases(
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """List this wallet's leases."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> list[dict[str, Any]]:
        async with Renter.connect(settings) as renter:
            rows = []
            for found in await renter.own_leases():
                decimals = await Erc20(renter.chain, found.token).decimals()
                rows.append(
                    {
                        "leaseId": found.lease_id,
                        "status": found.status.name.lower(),
                        "deviceId": "0x" + found.device_id.hex(),
                        "secondsLeft": max(0, found.stop - int(time.time())) if found.start else None,
                        "deposit": show_amount(found.deposit, decimals),
                        "refunded": show_amount(found.refunded, decimals),
                    }
                )
            return rows

    rows = finish(work())
    if output is OutputFormat.json:
        sys.stdout.write(json.dumps({"leases": rows}) + "\n")
        return
    for row in rows:
        show(row, output)


def keep_lease(
    lease: LeaseId,
    cap: Annotated[str, typer.Option("--cap", help="most that the deposit may grow to, whole tokens")],
    margin: Annotated[str, typer.Option("--margin", help="top up with less than this left")] = "10m",
    step: Annotated[str, typer.Option("--step", help="how much time each top-up buys")] = "30m",
    patience: Annotated[str, typer.Option("--patience", help="end it when the device is silent this long")] = "3m",
    every: Annotated[float, typer.Option("--every", help="seconds between looks")] = 10.0,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
) -> None:
    """Stay and keep a lease going: top it up to a cap, end it when its device stops answering."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> None:
        async with Renter.connect(settings) as renter:
            found = await renter.lease(lease)
            base_units = parse_amount(cap, await Erc20(renter.chain, found.token).decimals())
            confirm(f"Let the deposit of lease {lease} grow to {cap}?", yes)
            policy = Policy(parse_duration(margin), parse_duration(step), base_units, float(parse_duration(patience)))

            async def top_up(amount: int) -> None:
                await renter.top_up(lease, amount)

            async def end() -> None:
                await renter.end(lease)

            hands = Hands(
                lease=lambda: renter.lease(lease),
                alive=lambda: renter.alive(found.device_id),
                top_up=top_up,
                end=end,
                clock=time.time,
                sleep=asyncio.sleep,
                tell=note,
            )
            await keep(hands, policy, every)

    finish(work())


def wallet(
    token: Annotated[list[str] | None, typer.Option("--token", help="address of a token; again for more")] = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Show the wallet's address and what it holds."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            address = renter.address
            coin = int(await renter.chain.rpc("eth_getBalance", [address, "latest"]), 16)
            named = [renter.chain.deployment.address("NetworkToken"), *(token or [])]
            held = {}
            for one in named:
                erc20 = Erc20(renter.chain, one)
                held[await erc20.symbol()] = show_amount(await erc20.balance(address), await erc20.decimals())
            return {"address": address, "coin": show_amount(coin, 18), "tokens": held}

    show(finish(work()), output)
