"""Bringing a local network up: chain, contracts, stakes, seats, devices, daemons."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from assay.devnet.accounts import Participant, participant
from assay.devnet.chain_node import NODES, start_node
from assay.devnet.errors import DevnetError
from assay.devnet.network import ACCOUNTS, Network, NetworkPlan, deploy, listen
from assay.devnet.ports import HOST, free_ports, require_free
from assay.devnet.processes import Processes
from assay.devnet.progress import Progress
from assay.devnet.providers import CHEATING, NODE_DEVICES, host_of, set_up, start_provider
from assay.devnet.workspace import Workspace


async def start_network(plan: NetworkPlan, workspace: Workspace, processes: Processes, progress: Progress) -> Network:
    """Everything up to running daemons. Raises DevnetError."""
    port = require_free(plan.port) if plan.port is not None else free_ports(1)[0]
    with progress.step("local chain"):
        url = await start_node(NODES[plan.node], processes, port, workspace.log(plan.node), ACCOUNTS)
    network = Network(plan, workspace, processes, url, _participants(plan, workspace))
    await bring_up(network, progress)
    return network


def another_network(network: Network, workspace: Workspace) -> Network:
    """A second deployment on the same chain for the same accounts, with a folder of its own; nothing runs yet."""
    plan = network.plan
    return Network(plan, workspace, network.processes, network.url, _participants(plan, workspace))


async def bring_up(network: Network, progress: Progress) -> None:
    """Contracts on the chain that runs, then all that takes part. Raises DevnetError."""
    plan = network.plan
    with progress.step("contracts, deployed with Ape"):
        await deploy(plan, network)
    seats = validators(plan)
    daemons = [*seats, *plan.providers, "market"]
    ports = free_ports(len(daemons) + len(plan.providers))
    for name, daemon_port in zip(daemons, ports, strict=False):
        network.endpoints[name] = f"http://{HOST}:{daemon_port}"
    network.ssh_ports.update(zip(plan.providers, ports[len(daemons) :], strict=True))
    devices = len(plan.providers) + (NODE_DEVICES - 1) * len(plan.operated)
    providers = f"{len(plan.providers)} providers stake and enrol {devices} devices"
    with progress.step(f"{len(seats)} validators stake and take seats, {providers}"):
        work = [*(_join(network, name) for name in seats), *(set_up(network, name) for name in plan.providers)]
        await _at_most(4, work)
    with progress.step(f"{len(daemons) + 1} daemons"):
        _start_daemons(network)


def validators(plan: NetworkPlan) -> list[str]:
    """Names of the seats."""
    return [f"validator-{number}" for number in range(1, plan.validators + 1)]


def _participants(plan: NetworkPlan, workspace: Workspace) -> dict[str, Participant]:
    names = ["deployer", "guardian", *validators(plan), *plan.providers, "watcher", *plan.renters, *plan.guests]
    for host in (host_of(provider) for provider in sorted(plan.operated)):
        names += [host.operator, host.payout]
    password = workspace.password_file.read_text()
    return {name: participant(name, index, workspace.keys, password) for index, name in enumerate(names)}


async def _join(network: Network, name: str) -> None:
    await network.assay(name, "validator", "join", "--endpoint", network.endpoints[name])


def _start_daemons(network: Network) -> None:
    plan = network.plan
    for name in validators(plan):
        start_validator(network, name)
    for name in plan.providers:
        start_provider(network, name, CHEATING if name in plan.skips_rows else plan.engine)
    network.processes.start(
        "watcher", ["assay", "watch", *network.options("watcher")], network.workspace.log("watcher")
    )
    _start_market(network)


def start_validator(network: Network, name: str) -> None:
    """Starts a seat's daemon, over whatever it stored before."""
    command = ["assay", "validator", "run", *listen(network, name), *network.options(name)]
    network.processes.start(name, command, network.workspace.log(name))


def _start_market(network: Network) -> None:
    database = network.workspace.data / "market.sqlite"
    chain = ["--rpc", network.url, "--deployment", str(network.workspace.deployment)]
    command = ["assay", "market", "run", *chain, "--database", str(database), *listen(network, "market")]
    network.processes.start("market", command, network.workspace.log("market"))


async def _at_most(count: int, work: list[Coroutine[Any, Any, None]]) -> None:
    """Run all, `count` at a time; the first failure cancels the rest."""
    gate = asyncio.Semaphore(count)

    async def one(job: Coroutine[Any, Any, None]) -> None:
        async with gate:
            await job

    try:
        async with asyncio.TaskGroup() as group:
            for job in work:
                group.create_task(one(job))
    except* DevnetError as failures:
        raise failures.exceptions[0] from None
