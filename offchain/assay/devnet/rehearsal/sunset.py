"""The end of one deployment and the beginning of the next: everybody leaves with what is theirs, and meets again."""

from __future__ import annotations

import json

from assay.devnet.demo.reports import first_good_report
from assay.devnet.errors import DevnetError
from assay.devnet.providers import start_provider
from assay.devnet.rehearsal.stage import Stage
from assay.devnet.starting import another_network, bring_up, start_validator, validators
from assay.devnet.waiting import until
from assay.devnet.workspace import Workspace

DAY_S = 86_400
FIRST_REPORT_PATIENCE = 150.0


async def sunset(stage: Stage) -> str:
    """Devices are retired and seats given up; once nothing can be proven any more all stake is paid back."""
    network = stage.network
    plan = network.plan
    honest = [name for name in plan.providers if name not in plan.skips_rows]
    before = {name: network.ledger.stake(stage.address(name)).active for name in [*honest, *validators(plan)]}
    # Keys here are account and signer at once: a daemon and a command cannot both send with one.
    for name in honest:
        network.processes.stop(*network.processes.named(name))
        await network.assay(name, "provider", "retire", "--all", "--yes")
        start_provider(network, name, plan.engine)
    for name in validators(plan):
        network.processes.stop(*network.processes.named(name))
        await network.assay(name, "validator", "leave")
        start_validator(network, name)
    # Whoever serves what can still be demanded serves it up to here; the rest of the time passes at once.
    network.processes.stop(*[child for child in reversed(network.processes.children) if child.name != plan.node])
    stage.pass_time(plan.epochs["proofWindow"] + 3 * plan.epoch_seconds + DAY_S)
    for name in honest:
        await network.assay(name, "provider", "withdraw", "--yes")
    for name in validators(plan):
        await network.assay(name, "validator", "withdraw")
    stage.pass_time(int(stage.read("StakeManager", "unbondingPeriod")) + 1)
    held = {name: network.ledger.balance("NetworkToken", stage.address(name)) for name in before}
    for name in honest:
        await network.assay(name, "provider", "withdraw", "--yes", "--to", stage.address(name))
    for name in validators(plan):
        await network.assay(name, "validator", "withdraw")
    for name, staked in before.items():
        paid = network.ledger.balance("NetworkToken", stage.address(name)) - held[name]
        left = network.ledger.stake(stage.address(name))
        if paid != staked or left.active or left.pending:
            raise DevnetError(f"{name} staked {staked} and had {paid} back; {left.active} + {left.pending} are left")
    total = sum(before.values()) // 10**18
    return f"{len(honest)} providers and {len(validators(plan))} seats left with all of their {total:,} staked tokens"


async def migration(stage: Stage) -> str:
    """The same accounts, on a second deployment on the same chain."""
    old = stage.network
    with Workspace(old.workspace.root / "second") as workspace:
        network = another_network(old, workspace)
        await bring_up(network, stage.progress)
        if network.deployment.address("EpochOracle") == old.deployment.address("EpochOracle"):
            raise DevnetError("the second deployment is the first")
        epoch, devices = await until(
            "a report of the second deployment", FIRST_REPORT_PATIENCE, network, lambda: first_good_report(network)
        )
        found = json.loads(await network.assay("renter", "search", "-o", "json", reads_only=True))["devices"]
        if not found:
            raise DevnetError("nothing can be rented on the second deployment")
    return f"epoch {epoch} of the second deployment measured {len(devices)} devices; {len(found)} are on offer"
