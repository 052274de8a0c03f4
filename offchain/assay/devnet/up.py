"""A network that is left running."""

from __future__ import annotations

import asyncio
import random

from rich.console import Console
from rich.table import Table

from assay.devnet.activity import Activity
from assay.devnet.errors import DevnetError
from assay.devnet.network import Network, NetworkPlan, network_folder
from assay.devnet.progress import Progress
from assay.devnet.starting import start_network
from assay.devnet.waiting import until_a_process_ends


async def keep_running(plan: NetworkPlan) -> None:
    """Start the network, print where everything is, keep it busy, and stay until cancelled or a process ends."""
    console = Console()
    with network_folder(plan) as (workspace, processes):
        progress = Progress(console)
        network = await start_network(plan, workspace, processes, progress)
        console.print(_participants(network))
        console.print(
            f"chain {network.url}   deployment {workspace.deployment}\n"
            f"key files {workspace.keys}/NAME.json, their password {workspace.password_file}\n"
            f"logs {workspace.logs}   Ctrl-C stops everything\n"
            f"the market's pages: {network.endpoints['market']}",
            *(f"\n{_how_to_rent(network, guest)}" for guest in plan.guests[:1]),
            sep="\n",
            highlight=False,
            soft_wrap=True,
        )
        honest = [name for name in plan.providers if name not in plan.skips_rows]
        activity = Activity(network, progress, random.Random())  # noqa: S311 - no secret
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(activity.run(list(plan.renters), honest, min(plan.skips_rows)))
                group.create_task(until_a_process_ends(processes))
        except* DevnetError as failures:
            raise failures.exceptions[0] from None


def _how_to_rent(network: Network, guest: str) -> str:
    """What a guest types in another terminal; the accounts of the others send by themselves."""
    workspace = network.workspace
    options = {
        "rpc": network.url,
        "deployment": workspace.deployment,
        "market": network.endpoints["market"],
        "key-file": network.participants[guest].key_file,
        "password-file": workspace.password_file,
        "data-dir": workspace.data / guest,
    }
    given = " ".join(f"--{name} {value}" for name, value in options.items())
    return (
        f"To rent as {guest!r}, in another terminal (. .venv/bin/activate):\n"
        f"assay context set devnet {given}\nassay context use devnet && assay search"
    )


def _participants(network: Network) -> Table:
    table = Table(title="Who takes part", title_justify="left")
    for column in ("name", "address", "answers at"):
        table.add_column(column, overflow="fold")
    for name, one in network.participants.items():
        table.add_row(name, one.address, network.endpoints.get(name, ""))
    return table
