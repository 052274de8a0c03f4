"""The demo: devices measured, a cheat slashed by a proof, a device leased and paid by the second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from assay.devnet.demo.lease import lease_and_run, settle
from assay.devnet.demo.narration import Narrator
from assay.devnet.demo.outcome import DemoOutcome, SlashResult, StakeChange
from assay.devnet.demo.reports import first_good_report, read_earned
from assay.devnet.demo.tables import print_outcome, print_pages
from assay.devnet.ledger import Ledger
from assay.devnet.market_pages import shown
from assay.devnet.network import Network, NetworkPlan, network_folder
from assay.devnet.progress import Progress
from assay.devnet.starting import start_network
from assay.devnet.waiting import until, until_a_process_ends
from assay.protocol.hexadecimal import to_hex

EPOCH_PATIENCE = 120.0
SLASH_PATIENCE = 90.0
HOLD_PATIENCE = 90.0
MARKET_PATIENCE = 30.0


async def run_demo(plan: NetworkPlan, out: Path, serve: bool) -> None:
    """Run the whole story, print it, write `out`; with `serve`, leave the market's pages up until cancelled.

    Raises DevnetError where any part of it did not happen.
    """
    console = Console()
    progress = Progress(console)
    with network_folder(plan) as (workspace, processes):
        network = await start_network(plan, workspace, processes, progress)
        before = _stakes(network, plan)
        narrator = asyncio.create_task(Narrator(network, progress).run())
        try:
            outcome = await _story(network, plan, progress, before)
        finally:
            narrator.cancel()
            with suppress(asyncio.CancelledError):
                await narrator
        print_outcome(console, outcome)
        outcome.write(out)
        console.print(f"\n[green]all of it happened[/] in {outcome.wall_seconds:.0f} s; the same as JSON: {out}")
        if serve:
            print_pages(console, outcome.pages)
            # Ctrl-C is how somebody who has looked enough ends it.
            with suppress(asyncio.CancelledError):
                await until_a_process_ends(processes)
    if not serve:
        console.print("`make devnet` leaves such a network running, with the market's pages to look at")


async def _story(network: Network, plan: NetworkPlan, progress: Progress, before: dict[str, int]) -> DemoOutcome:
    epoch, devices = await until(
        "a report in which the honest pass",
        EPOCH_PATIENCE,
        network,
        lambda: first_good_report(network),
    )
    progress.done(f"epoch {epoch} measured {len(devices)} devices")
    job = await lease_and_run(network, progress)
    proven = await until("the slash of the cheat", SLASH_PATIENCE, network, lambda: _slash(network, plan))
    progress.done("the cheat was slashed by a proof that the contract checked; the stake is on hold")
    lease = await settle(network, progress, job)
    slash = await until("the end of the slash's hold", HOLD_PATIENCE, network, lambda: _settled(network, proven))
    progress.done("nobody gave the stake back: the watcher has its bounty, the rest is burned")
    pages = await until(
        "the market's pages with all of it",
        MARKET_PATIENCE,
        network,
        lambda: shown(network, slash.tx, slash.device_id, lease.lease_id),
    )
    progress.done("the market has indexed the slash and the lease, and serves pages about them")
    earned = read_earned(network)
    return DemoOutcome(
        epoch=epoch,
        devices=devices,
        transactions=list(network.ledger.transactions()),
        stakes=[
            StakeChange(name, network.participants[name].address, before[name], after, earned[name])
            for name, after in _stakes(network, plan).items()
        ],
        slash=slash,
        lease=lease,
        pages=pages,
        wall_seconds=progress.seconds,
    )


def _stakes(network: Network, plan: NetworkPlan) -> dict[str, int]:
    """Active and pending stake of every provider and validator, by name."""
    ledger = network.ledger
    stakes = {}
    for name in (one for one in network.endpoints if one in network.participants):
        stake = ledger.stake(network.participants[name].address)
        stakes[name] = stake.active + stake.pending
    return stakes


def _slash(network: Network, plan: NetworkPlan) -> Any:
    """The log of the cheat's fault; None before."""
    cheats = {network.participants[name].address for name in plan.skips_rows}
    ledger = network.ledger
    for log in ledger.events("FraudProofs", "FaultProven"):
        if log["args"]["account"] in cheats:
            return log
    return None


def _settled(network: Network, log: Any) -> SlashResult | None:
    """What was done with the stake, once it has been held long enough; None before."""
    ledger = network.ledger
    for settled in ledger.events("StakeManager", "SlashSettled"):
        if settled["args"]["heldId"] == log["args"]["heldId"]:
            return _slash_result(ledger, network, log, settled["args"])
    return None


def _slash_result(ledger: Ledger, network: Network, log: Any, settled: Any) -> SlashResult:
    same = [
        shown
        for shown in ledger.events("FraudProofs", "WrongElementShown")
        if shown["transactionHash"] == log["transactionHash"]
    ]
    names = ("t", "i", "j", "claimed", "correct")
    element = {name: int(same[0]["args"][name]) for name in names} if same else {}
    args = log["args"]
    held_until = next(
        held["args"]["heldUntil"]
        for held in ledger.events("StakeManager", "SlashHeld")
        if held["args"]["heldId"] == args["heldId"]
    )
    return SlashResult(
        provider=network.name_of(args["account"]),
        address=str(args["account"]),
        device_id=to_hex(args["subject"]),
        kind="wrong element" if same else "broken chain",
        element=element,
        amount=int(args["amount"]),
        held_seconds=int(held_until) - ledger.timestamp(log["blockNumber"]),
        bounty=int(settled["bounty"]),
        burned=int(settled["burned"]),
        reporter=network.name_of(args["reporter"]),
        tx=to_hex(log["transactionHash"]),
    )
