"""One network from nothing: chain, contracts, stakes, seats, devices, daemons."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.chain.deployment import Deployment
from assay.devnet.accounts import Participant
from assay.devnet.chain_node import NODES, mine_every_second
from assay.devnet.ledger import Ledger
from assay.devnet.ports import HOST
from assay.devnet.processes import Processes
from assay.devnet.workspace import Workspace

ACCOUNTS = 20
# As short as blocks of a second, finality two blocks behind and two cores of its own allow.
EPOCH_SECONDS = 22
# Deadlines as twentieths of an epoch.
DEADLINES = {"openBy": 5, "sealBy": 14, "drawBy": 17, "reportBy": 27}
PROOF_WINDOW_EPOCHS = 18
TOKENS_EACH = 10**24  # network token, base units
DOLLARS_EACH = 10**10  # test dollars, 6 decimals: 10,000
# Decisions of governance, and what is held for longer than they take: seconds instead of days.
TIMELOCK_SECONDS, HOLD_SECONDS = 20, 30
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
    operated: frozenset[str] = frozenset({"south"})  # whose host has an operator's key, and several devices
    renters: tuple[str, ...] = ("renter",)
    guests: tuple[str, ...] = ()  # have money, and nothing acts for them
    epoch_seconds: int = EPOCH_SECONDS
    engine: str = "cpu"  # of honest providers
    runtime: str = "local"  # of the providers' jobs
    node: str = "anvil"  # what runs the chain, one of NODES
    programs: Path | None = None  # folder of the `assay` that daemons and commands run; None: this environment's

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

    @property
    def dollars(self) -> str:
        """Address of the token that leases are paid in."""
        return self.deployment.address("TestToken")

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
            "--rpc",
            self.url,
            "--deployment",
            str(self.workspace.deployment),
            "--data-dir",
            str(self.workspace.data / (data or name)),
        ]
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
    with Workspace(plan.folder) as workspace:
        processes = Processes(environment_of(plan, os.environ))
        try:
            yield workspace, processes
        finally:
            processes.stop_all()


def environment_of(plan: NetworkPlan, given: Mapping[str, str]) -> dict[str, str]:
    """What the children of a network are given, where this process has `given`."""
    environment = dict(given)
    # First the folders of this environment's `assay` and `ape`, and of npm's `anvil`.
    tools = [Path(sys.executable).parent, Path("node_modules/.bin").absolute()]
    if plan.programs is not None:
        tools.insert(0, plan.programs.absolute())
        # It would put this environment's modules before those of the other.
        environment.pop("PYTHONPATH", None)
    environment["PATH"] = ":".join([*map(str, tools), environment["PATH"]])
    environment.setdefault("SOLCX_BINARY_PATH", str(Path("scripts/solc").absolute()))
    environment["NUMBA_NUM_THREADS"] = environment["OMP_NUM_THREADS"] = "1"
    return environment


def listen(network: Network, name: str) -> list[str]:
    """Options of where a daemon of that name answers."""
    return ["--host", HOST, "--port", network.endpoints[name].rsplit(":", 1)[1]]


async def deploy(plan: NetworkPlan, network: Network) -> None:
    """The contracts by Ape's script, with the plan's times; dollars for all. Raises DevnetError."""
    holders = [one.address for one in network.participants.values()]
    holdback = 2 * plan.epochs["epochLength"] + plan.epochs["reportBy"]  # the least that LeaseEscrow accepts
    parameters = {
        "epochs": {"genesis": f"now+{plan.genesis_seconds}", **plan.epochs},
        "governance": {"timelockDelay": TIMELOCK_SECONDS, "longestDelay": TIMELOCK_SECONDS},
        "stakes": {"slashHold": HOLD_SECONDS},
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
    mine_every_second(NODES[plan.node], network.url)
