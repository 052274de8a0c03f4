"""`assay lease`: lease a measured device and run a job on it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from assay.chain.client import ContractCall
from assay.chain.erc20 import Erc20
from assay.cli import lease_jobs, lease_tools
from assay.cli.lease_options import (
    DataDir,
    DeploymentFile,
    DryRun,
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
from assay.cli.lease_rows import lease_json, show_listings, transactions_json
from assay.cli.output import OutputFormat, fail, show
from assay.protocol.hexadecimal import parse_bytes32, to_hex
from assay.renter.money import deposit_for, parse_amount, parse_duration, show_amount
from assay.renter.renter import Renter
from assay.renter.search import Order, Wanted
from assay.renter.settings import RenterSettings
from assay.renter.wallet import ESCROW, open_call

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Lease a measured device and run a job on it.")
Device = Annotated[str, typer.Argument(help="deviceId, 32 bytes as 0x…")]
Duration = Annotated[str, typer.Option("--duration", help="how long the deposit lasts: 90s, 15m, 2h, 1d")]
MinScore = Annotated[int, typer.Option("--min-score", help="giga-operations a second that must be proven")]


@commands.command()
def search(
    min_score: MinScore = 0,
    min_memory: Annotated[int, typer.Option("--min-memory", help="MiB")] = 0,
    min_uptime: Annotated[float, typer.Option("--min-uptime", help="percent")] = 0,
    max_price: Annotated[str | None, typer.Option("--max-price", help="whole tokens an hour")] = None,
    max_rtt: Annotated[float | None, typer.Option("--max-rtt", help="milliseconds, as measured from here")] = None,
    token: Annotated[str | None, typer.Option("--token", help="address of the token")] = None,
    profile: Annotated[int | None, typer.Option("--profile", help="id of the profile")] = None,
    duration: Annotated[str | None, typer.Option("--duration", help="how long it is wanted")] = None,
    sort: Annotated[Order, typer.Option("--sort", help="what comes first")] = Order.price,
    limit: Annotated[int, typer.Option("--limit", help="lines at most", min=1)] = 50,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """List measured devices that are on offer, each checked against the report on the chain."""
    settings = settings_of(rpc, deployment, None, None, data_dir)
    wanted = Wanted(
        min_score=min_score,
        min_memory_mib=min_memory,
        min_uptime_bps=int(min_uptime * 100),
        max_price=_price(max_price),
        max_rtt_ms=max_rtt,
        token=token,
        profile=profile,
        duration=parse_duration(duration) if duration else None,
    )

    async def work() -> Any:
        async with Renter.connect(settings) as renter:
            return await renter.search(wanted, sort)

    show_listings(finish(work())[:limit], output)


@commands.command(name="open")
def open_lease(
    device: Device,
    duration: Duration = "1h",
    min_score: MinScore = 0,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = OutputFormat.table,
) -> None:
    """Pay a deposit in and open a pending lease. It can be cancelled at any time for all of it."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)
    show(finish(_open(settings, device, parse_duration(duration), min_score, yes, dry_run)), output)


async def _open(
    settings: RenterSettings, device: str, seconds: int, min_score: int, yes: bool, dry_run: bool
) -> dict[str, Any]:
    async with Renter.connect(settings) as renter:
        listing = await renter.listing(parse_bytes32(device, "device"))
        deposit = deposit_for(listing.signed.offer.rate, seconds)
        amount = show_amount(deposit, listing.decimals)
        if dry_run:
            call = open_call(listing.signed, deposit, listing.measured, min_score)
            return {
                "deposit": str(deposit),
                "to": renter.chain.deployment.address(ESCROW),
                "calldata": renter.wallet.calldata(call),
            }
        symbol = await Erc20(renter.chain, listing.signed.offer.token).symbol()
        confirm(f"Pay a deposit of {amount} {symbol} for {seconds} s of {device[:18]}…?", yes)
        lease, done = await renter.open(listing, deposit, min_score)
        return {
            "leaseId": lease.lease_id,
            "status": lease.status.name.lower(),
            "deviceId": to_hex(lease.device_id),
            "deposit": str(deposit),
            "seconds": seconds,
            "transactions": transactions_json(done),
        }


@commands.command()
def handover(
    lease: LeaseId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Have the device prove itself for this lease, and verify the proof on this machine."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            result = await renter.handover(lease)
        return {
            "leaseId": lease,
            "valid": True,
            "epoch": result.epoch,
            "resultRoot": to_hex(result.result_root),
            "proofMs": round(result.proof_ms, 1),
            "verifyMs": round(result.verify_ms, 1),
            "scoreGops": result.score_gops,
        }

    show(finish(work()), output)


@commands.command()
def start(
    lease: LeaseId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
    output: Output = OutputFormat.table,
) -> None:
    """Sign the start of a lease whose handover convinced; the stream of money begins."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            confirm(f"Start lease {lease}? Rent flows from then on.", yes)
            answer = await renter.start(lease)
            return {"leaseId": lease, "status": (await renter.lease(lease)).status.name.lower(), **answer}

    show(finish(work()), output)


@commands.command()
def rent(
    device: Device,
    duration: Duration = "1h",
    min_score: MinScore = 0,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
    output: Output = OutputFormat.table,
) -> None:
    """Open, hand over and start in one go. Where the proof does not convince, everything is paid back."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)
    show(finish(_rent(settings, device, parse_duration(duration), min_score, yes)), output)


async def _rent(settings: RenterSettings, device: str, seconds: int, min_score: int, yes: bool) -> dict[str, Any]:
    from assay.renter.errors import RenterError

    opened = await _open(settings, device, seconds, min_score, yes, dry_run=False)
    lease_id = int(opened["leaseId"])
    note(f"lease {lease_id} is open; the device now proves itself")
    async with Renter.connect(settings) as renter:
        try:
            proof = await renter.handover(lease_id)
        except RenterError:
            await renter.end(lease_id)
            await renter.refund(lease_id)
            note(f"lease {lease_id} was cancelled and its deposit paid back")
            raise
        note(f"proof of {proof.proof_ms:.0f} ms verified in {proof.verify_ms:.0f} ms: {proof.score_gops} gops")
        answer = await renter.start(lease_id)
        lease = await renter.lease(lease_id)
    note(f"lease {lease_id} runs")
    return {**opened, "status": lease.status.name.lower(), "stop": lease.stop, "start": answer}


@commands.command()
def status(
    lease: LeaseId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Show a lease and its money."""
    settings = settings_of(rpc, deployment, None, None, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            found = await renter.lease(lease)
            decimals = await Erc20(renter.chain, found.token).decimals()
            return lease_json(found, await renter.streamed(lease), decimals)

    show(finish(work()), output)


@commands.command(name="top-up")
def top_up(
    lease: LeaseId,
    amount: Annotated[str, typer.Argument(help="whole tokens to add")],
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = OutputFormat.table,
) -> None:
    """Add to the deposit, so that the lease lasts longer."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            token = Erc20(renter.chain, (await renter.lease(lease)).token)
            base_units = parse_amount(amount, await token.decimals())
            if dry_run:
                return {"calldata": renter.wallet.calldata(ContractCall(ESCROW, "topUp", (lease, base_units)))}
            confirm(f"Add {amount} {await token.symbol()} to lease {lease}?", yes)
            done = await renter.top_up(lease, base_units)
            stop = (await renter.lease(lease)).stop
            return {"leaseId": lease, "stop": stop, "transactions": transactions_json(done)}

    show(finish(work()), output)


@commands.command()
def end(
    lease: LeaseId,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = OutputFormat.table,
) -> None:
    """Stop the stream now; a lease that has not started is cancelled."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            if dry_run:
                return {"calldata": renter.wallet.calldata(ContractCall(ESCROW, "end", (lease,)))}
            confirm(f"End lease {lease}?", yes)
            done = await renter.end(lease)
            status = (await renter.lease(lease)).status.name.lower()
            return {"leaseId": lease, "status": status, "transactions": transactions_json([done])}

    show(finish(work()), output)


@commands.command()
def refund(
    lease: LeaseId,
    receiver: Annotated[str | None, typer.Option("--receiver", help="who is paid; default the wallet")] = None,
    rpc: Rpc = None,
    deployment: DeploymentFile = None,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = None,
    output: Output = OutputFormat.table,
) -> None:
    """Collect what the escrow owes back: the rest of a deposit, a forfeited bond, downtime."""
    settings = settings_of(rpc, deployment, key_file, password_file, data_dir)

    async def work() -> dict[str, Any]:
        async with Renter.connect(settings) as renter:
            amount, done = await renter.refund(lease, receiver)
            return {"leaseId": lease, "refunded": str(amount), "transactions": transactions_json([done])}

    show(finish(work()), output)


commands.command(name="run", context_settings={"ignore_unknown_options": True})(lease_jobs.run)
commands.command(name="jobs")(lease_jobs.jobs)
commands.command(name="logs")(lease_jobs.logs)
commands.command(name="stop-job")(lease_jobs.stop_job)
commands.command(name="cp")(lease_jobs.cp)
commands.command(name="ssh", context_settings={"ignore_unknown_options": True})(lease_tools.ssh)
commands.command(name="export")(lease_tools.export)
commands.command(name="quote")(lease_tools.quote)
commands.command(name="list")(lease_tools.list_leases)
commands.command(name="keep")(lease_tools.keep_lease)
commands.command(name="wallet")(lease_tools.wallet)


def _price(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        fail(f"--max-price {text!r}: not a number")
