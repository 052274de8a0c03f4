"""What goes wrong on a network that runs, done on purpose: each drill says what was seen, or raises DevnetError."""

from __future__ import annotations

import os
import signal

from assay.devnet.chain_node import node_rpc
from assay.devnet.errors import DevnetError
from assay.devnet.network import TIMELOCK_SECONDS
from assay.devnet.rehearsal.stage import Stage
from assay.devnet.starting import start_validator, validators

GUARDIAN, GOVERNOR = "guardian", "deployer"
PAUSE_S = 600
ENTRY = ("DeviceRegistry", "ValidatorSet", "LeaseEscrow")
PAUSED = "EntryPausedUntil(uint40)"
UNAUTHORIZED = "AccessManagedUnauthorized(address)"
NOT_READY = "TimelockUnexpectedOperationState(bytes32,bytes32)"
NO_PREDECESSOR, SALT = bytes(32), bytes(31) + b"\x01"


async def first_epoch(stage: Stage) -> str:
    """The network measures what it was made for."""
    return f"epoch {await stage.measured_again()} measured all honest providers"


async def seat_killed(stage: Stage) -> str:
    """One seat dies in the middle of its work, and comes back over what it stored."""
    name = validators(stage.network.plan)[0]
    _kill(stage, name)
    start_validator(stage.network, name)
    return f"{name} killed and started again; epoch {await stage.measured_again()} was reported with all that pass"


async def all_seats_killed(stage: Stage) -> str:
    """All seats die at once: no epoch is held up by what was lost of the one at work."""
    names = validators(stage.network.plan)
    for name in names:
        _kill(stage, name)
    for name in names:
        start_validator(stage.network, name)
    return f"{len(names)} seats killed and started again; the next report is epoch {await stage.measured_again()}'s"


async def reorganisation(stage: Stage) -> str:
    """The newest block is undone, as far as a node can do that without undoing a final one."""
    chain, node = stage.chain, stage.network.plan.node
    if node != "anvil":
        return f"not done: {node} calls each block final at once, and undoes none"
    before = chain.eth.get_block("latest")
    node_rpc(stage.network.url, "anvil_reorg", 1, [])
    after = chain.eth.get_block(before["number"])
    if after["hash"] == before["hash"]:
        raise DevnetError(f"block {before['number']} was not undone")
    return f"block {before['number']} was undone; the next report is epoch {await stage.measured_again()}'s"


async def entry_paused(stage: Stage) -> str:
    """The guardian closes entry: nobody joins, exits and leases go on; then it opens it again."""
    seat = validators(stage.network.plan)[0]
    for contract in ENTRY:
        stage.send(GUARDIAN, contract, "pauseEntry", PAUSE_S)
    try:
        joining = (stage.address("watcher"), "", bytes(32), bytes(64))
        _expect(stage.refuses(PAUSED, "watcher", "ValidatorSet", "join", *joining), "entry is not closed")
        stage.would(seat, "ValidatorSet", "leave")
        epoch = await stage.measured_again()
    finally:
        for contract in ENTRY:
            stage.send(GUARDIAN, contract, "resumeEntry")
    _expect(
        stage.refuses(UNAUTHORIZED, GOVERNOR, "ValidatorSet", "pauseEntry", PAUSE_S), "who is no guardian closes entry"
    )
    return f"entry of {', '.join(ENTRY)} closed and opened; exits stayed open, and epoch {epoch} was reported meanwhile"


async def rewards_vetoed(stage: Stage) -> str:
    """The guardian refuses the newest report's rewards; later reports stand."""
    since = _newest_report(stage)
    # One that has just come: its claim delay has not passed.
    epoch = await stage.until("another report", lambda: _later(_newest_report(stage), since))
    stage.send(GUARDIAN, "RewardsDistributor", "veto", epoch)
    _expect(_is_vetoed(stage, epoch), f"epoch {epoch} is not vetoed")

    def stands() -> int | None:
        later = _later(_newest_report(stage), epoch)
        return later if later is not None and not _is_vetoed(stage, later) else None

    later = await stage.until("a report that stands after the veto", stands)
    return f"the rewards of epoch {epoch} were vetoed, those of epoch {later} stand"


async def decision_of_governance(stage: Stage) -> str:
    """A change waits for the timelock, and is carried out; another is cancelled while it waits."""
    before = int(stage.read("StakeManager", "bountyBps"))
    wanted = before - 1
    around = stage.refuses(UNAUTHORIZED, GOVERNOR, "StakeManager", "setBounty", wanted)
    _expect(around, "a change goes around the timelock")
    target, data = stage.encoded("StakeManager", "setBounty", wanted)
    change = (target, 0, data, NO_PREDECESSOR, SALT)
    stage.send(GOVERNOR, "Timelock", "schedule", *change, TIMELOCK_SECONDS)
    _expect(stage.refuses(NOT_READY, GOVERNOR, "Timelock", "execute", *change), "a change need not wait")
    ready = stage.read("Timelock", "hashOperation", *change)
    await stage.until("the timelock", lambda: stage.read("Timelock", "isOperationReady", ready) or None)
    stage.send(GOVERNOR, "Timelock", "execute", *change)
    _expect(int(stage.read("StakeManager", "bountyBps")) == wanted, "the change was not made")

    target, data = stage.encoded("StakeManager", "setBounty", 0)
    refused = (target, 0, data, NO_PREDECESSOR, SALT)
    stage.send(GOVERNOR, "Timelock", "schedule", *refused, TIMELOCK_SECONDS)
    stage.send(GOVERNOR, "Timelock", "cancel", stage.read("Timelock", "hashOperation", *refused))
    _expect(stage.refuses(NOT_READY, GOVERNOR, "Timelock", "execute", *refused), "a cancelled change can be made")
    return f"the bounty went from {before} to {wanted} bps after {TIMELOCK_SECONDS} s; another change was cancelled"


def _kill(stage: Stage, name: str) -> None:
    (child,) = stage.network.processes.named(name)
    os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()
    stage.network.processes.stop(child)


def _newest_report(stage: Stage) -> int | None:
    reports = stage.network.ledger.events("EpochOracle", "EpochReported")
    return int(reports[-1]["args"]["epoch"]) if reports else None


def _is_vetoed(stage: Stage, epoch: int) -> bool:
    return bool(stage.read("EpochOracle", "rewardsOf", epoch)[3])


def _later(found: int | None, than: int | None) -> int | None:
    return found if found is not None and (than is None or found > than) else None


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DevnetError(otherwise)
