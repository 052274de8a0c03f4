"""One network from nothing: chain, contracts, stakes, seats, devices, daemons."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.chain.deployment import Deployment
from assay.devnet.accounts import Participant, participant
from assay.devnet.anvil import mine_every_second, start_anvil
from assay.devnet.errors import DevnetError
from assay.devnet.ledger import Ledger
from assay.devnet.ports import HOST, free_ports, require_free
from assay.devnet.processes import Child, Processes
from assay.devnet.progress import Progress
from assay.devnet.workspace import Workspace

ACCOUNTS = 20
# As short as blocks of a second, finality two blocks behind and two cores of its own allow.
EPOCH_SECONDS = 20
# Deadlines as twentieths of an epoch.
DEADLINES = {"openBy": 5, "sealBy": 13, "drawBy": 17, "reportBy": 27}
PROOF_WINDOW_EPOCHS = 18
TOKENS_EACH = 10**24  # network token, base units
DOLLARS_EACH = 10**10  # test dollars, 6 decimals: 10,000
HONEST, CHEATING = "cpu", "skipped-rows:0.3"
PRICE_PER_HOUR = {"north": "3.20", "south": "2.40", "cheat": "0.60"}  # test dollars
REGIONS = {"north": "eu-north", "south": "eu-south"}
# A lease of half a minute is worth cents; the fee's floor must not eat it.
FEE_FLOORS = [{"token": "NetworkToken", "feeFloor": "1e16"}, {"token": "TestToken", "feeFloor": 100}]


@dataclass(frozen=True)
class NetworkPlan:
    """What to start. `genesis_seconds` is how long after the deployment begins the first epoch starts.

    A machine with other work needs longer epochs than the shortest.
    """

    folder: Path
    port: int | None = None
    validators: int = 4
    genesis_seconds: int = 32
    providers: tuple[str, ...] = ("north", "south", "cheat")
    skips_rows: frozenset[str] = frozenset({"cheat"})
    renters: tuple[str, ...] = ("renter",)
    guests: tuple[str, ...] = ()  # have money, and nothing acts for them
    epoch_seconds: int = EPOCH_SECONDS

    @property
    def epochs(self) -> dict[str, int]:
        """The oracle's times, seconds."""
        deadlines = {name: twentieths * self.epoch_seconds // 20 for name, twentieths in DEADLINES.items()}
        window = PROOF_WINDOW_EPOCHS * self.epoch_seconds
        return {"epochLength": self.epoch_seconds, **deadlines, "drawDelay": 1, "proofWindow": window}

    def patience(self, seconds: float) -> float:
        """How long to wait for what takes so many seconds with the shortest epochs."""
        return seconds * self.epoch_seconds / EPOCH_SECONDS


@dataclass
class Network:
    """A running network: who takes part, where they answer, and the chain's own record."""

    plan: NetworkPlan
    workspace: Workspace
    processes: Processes
    url: str
    participants: dict[str, Participant]
    endpoints: dict[str, str] = field(default_factory=dict)
    ssh_ports: dict[str, int] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        """A fresh reader of the chain."""
        return Ledger(self.url, self.deployment)

    @property
    def deployment(self) -> Deployment:
        """Addresses and ABIs."""
        return Deployment.load(self.workspace.deployment)

    def name_of(self, address: str) -> str:
        """The participant's name, or the address itself."""
        for one in self.participants.values():
            if one.address.lower() == address.lower():
                return one.name
        return address

    def options(self, name: str, reads_only: bool = False, data: str | None = None, unlocks: bool = True) -> list[str]:
        """Options that a participant's daemons and commands take; what only reads the chain has no key, what signs
        nothing does not unlock it.

        `data` is a folder of its own for whoever runs more than one daemon.
        """
        common = [
            "--rpc", self.url,
            "--deployment", str(self.workspace.deployment),
            "--data-dir", str(self.workspace.data / (data or name)),
        ]  # fmt: skip
        if reads_only:
            return common
        key = ["--key-file", str(self.participants[name].key_file)]
        return [*common, *key, *(["--password-file", str(self.workspace.password_file)] if unlocks else [])]

    async def assay(
        self,
        name: str,
        *arguments: str,
        after: Sequence[str] = (),
        reads_only: bool = False,
        data: str | None = None,
        unlocks: bool = True,
    ) -> str:
        """Run one `assay` command as a participant; `after` follows the options. Returns standard output."""
        command = ["assay", *arguments, *self.options(name, reads_only, data, unlocks), *after]
        log = self.workspace.log(f"{name}-commands")
        return await self.processes.run(" ".join(command[:3]), command, log)


@contextmanager
def network_folder(plan: NetworkPlan) -> Iterator[tuple[Workspace, Processes]]:
    """Lock the folder and stop every process on the way out, whatever happens."""
    environment = dict(os.environ)
    # First the folders of this environment's `assay` and `ape`, and of npm's `anvil`.
    tools = f"{Path(sys.executable).parent}:{Path('node_modules/.bin').absolute()}"
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    environment.setdefault("SOLCX_BINARY_PATH", str(Path("scripts/solc").absolute()))
    environment["NUMBA_NUM_THREADS"] = environment["OMP_NUM_THREADS"] = "1"
    with Workspace(plan.folder) as workspace:
        processes = Processes(environment)
        try:
            yield workspace, processes
        finally:
            processes.stop_all()


async def start_network(plan: NetworkPlan, workspace: Workspace, processes: Processes, progress: Progress) -> Network:
    """Everything up to running daemons. Raises DevnetError."""
    port = require_free(plan.port) if plan.port is not None else free_ports(1)[0]
    with progress.step("local chain"):
        url = await start_anvil(processes, port, workspace.log("anvil"), ACCOUNTS)
    network = Network(plan, workspace, processes, url, _participants(plan, workspace))
    with progress.step("contracts, deployed with Ape"):
        await _deploy(plan, network)
    daemons = [*_validators(plan), *plan.providers, "market"]
    ports = free_ports(len(daemons) + len(plan.providers))
    for name, daemon_port in zip(daemons, ports, strict=False):
        network.endpoints[name] = f"http://{HOST}:{daemon_port}"
    network.ssh_ports.update(zip(plan.providers, ports[len(daemons) :], strict=True))
    seats, devices = len(_validators(plan)), len(plan.providers)
    with progress.step(f"{seats} validators stake and take seats, {devices} providers stake and enrol"):
        joins = [_join(network, name) for name in _validators(plan)]
        await _at_most(4, [*joins, *(_enrol(network, name) for name in plan.providers)])
    with progress.step(f"{len(daemons) + 1} daemons"):
        _start_daemons(plan, network)
    return network


def _validators(plan: NetworkPlan) -> list[str]:
    return [f"validator-{number}" for number in range(1, plan.validators + 1)]


def _participants(plan: NetworkPlan, workspace: Workspace) -> dict[str, Participant]:
    names = ["deployer", "guardian", *_validators(plan), *plan.providers, "watcher", *plan.renters, *plan.guests]
    password = workspace.password_file.read_text()
    return {name: participant(name, index, workspace.keys, password) for index, name in enumerate(names)}


async def _deploy(plan: NetworkPlan, network: Network) -> None:
    holders = [one.address for one in network.participants.values()]
    holdback = 2 * plan.epochs["epochLength"] + plan.epochs["reportBy"]  # the least that LeaseEscrow accepts
    parameters = {
        "epochs": {"genesis": f"now+{plan.genesis_seconds}", **plan.epochs},
        "leases": {"holdback": holdback, "tokens": FEE_FLOORS},
        "token": {"allocations": [{"account": one, "amount": str(TOKENS_EACH)} for one in holders]},
    }
    network.workspace.parameters.write_text(json.dumps(parameters, indent=2))
    network.processes.environment = {
        **network.processes.environment,
        "ASSAY_PARAMETERS": str(network.workspace.parameters.absolute()),
        "ASSAY_DEPLOYMENT_OUT": str(network.workspace.deployment.absolute()),
    }
    # A network left from an earlier run is another chain's; a deployment is never resumed here.
    network.workspace.deployment.unlink(missing_ok=True)
    await network.processes.run(
        "ape run deploy", ["ape", "run", "deploy", "--network", network.url], network.workspace.log("deploy")
    )
    network.ledger.mint_dollars(holders, DOLLARS_EACH)
    mine_every_second(network.url)


async def _join(network: Network, name: str) -> None:
    await network.assay(name, "validator", "join", "--endpoint", network.endpoints[name])


async def _enrol(network: Network, name: str) -> None:
    where = ["--endpoint", network.endpoints[name], "--region", REGIONS.get(name, "")]
    await network.assay(name, "provider", "enrol", *where)


def _start_daemons(plan: NetworkPlan, network: Network) -> None:
    for name in _validators(plan):
        command = ["assay", "validator", "run", *_listen(network, name), *network.options(name)]
        network.processes.start(name, command, network.workspace.log(name))
    for name in plan.providers:
        start_provider(network, name, CHEATING if name in plan.skips_rows else HONEST)
    network.processes.start(
        "watcher", ["assay", "watch", *network.options("watcher")], network.workspace.log("watcher")
    )
    _start_market(network)


def start_provider(network: Network, name: str, engine: str, data: str | None = None) -> Child:
    """Start a provider's daemon; `data` as in `Network.options`."""
    command = [
        "assay", "provider", "run", *_listen(network, data or name),
        "--engine", engine,
        "--runtime", "local",
        "--ssh-port", str(network.ssh_ports.get(data or name) or free_ports(1)[0]),
        "--token", network.deployment.contracts["TestToken"].address,
        "--price-per-hour", PRICE_PER_HOUR.get(name, "1.00"),
        "--min-duration", "10",
        *network.options(name, data=data),
    ]  # fmt: skip
    return network.processes.start(data or name, command, network.workspace.log(data or name))


def _listen(network: Network, name: str) -> list[str]:
    return ["--host", HOST, "--port", network.endpoints[name].rsplit(":", 1)[1]]


def _start_market(network: Network) -> None:
    database = network.workspace.data / "market.sqlite"
    chain = ["--rpc", network.url, "--deployment", str(network.workspace.deployment)]
    command = ["assay", "market", "run", *chain, "--database", str(database), *_listen(network, "market")]
    network.processes.start("market", command, network.workspace.log("market"))


async def _at_most(count: int, work: list[Coroutine[None, None, None]]) -> None:
    """Run all, `count` at a time; the first failure cancels the rest."""
    gate = asyncio.Semaphore(count)

    async def one(job: Coroutine[None, None, None]) -> None:
        async with gate:
            await job

    try:
        async with asyncio.TaskGroup() as group:
            for job in work:
                group.create_task(one(job))
    except* DevnetError as failures:
        raise failures.exceptions[0] from None
