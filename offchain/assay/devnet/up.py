"""A network that is left running."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from assay.devnet.network import Network, NetworkPlan, network_folder, start_network
from assay.devnet.progress import Progress

CHECK_SECONDS = 1.0


async def keep_running(plan: NetworkPlan) -> None:
    """Start the network, print where everything is, and stay until cancelled or a process ends."""
    console = Console()
    plan = replace(plan, market=True)
    with network_folder(plan) as (workspace, processes):
        network = await start_network(plan, workspace, processes, Progress(console))
        console.print(_participants(network))
        console.print(
            f"chain {network.url}   deployment {workspace.deployment}\n"
            f"key files {workspace.keys}/NAME.json, their password {workspace.password_file}\n"
            f"logs {workspace.logs}   Ctrl-C stops everything\n"
            f"the market's pages: {network.endpoints['market']}",
            highlight=False,
            soft_wrap=True,
        )
        while True:
            processes.check()
            await asyncio.sleep(CHECK_SECONDS)


def _participants(network: Network) -> Table:
    table = Table(title="Who takes part", title_justify="left")
    for column in ("name", "address", "answers at"):
        table.add_column(column, no_wrap=True)
    for name, one in network.participants.items():
        table.add_row(name, one.address, network.endpoints.get(name, ""))
    return table
