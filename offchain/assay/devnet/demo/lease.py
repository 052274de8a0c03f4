"""The renter's part of the demo: a node of measured devices leased, used and paid by the second."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from assay.devnet.demo.outcome import LeaseResult
from assay.devnet.demo.tables import short
from assay.devnet.errors import DevnetError, TookTooLong
from assay.devnet.ledger import Ledger
from assay.devnet.network import Network
from assay.devnet.progress import Progress
from assay.devnet.providers import NODE_DEVICES, host_of
from assay.devnet.waiting import POLL_SECONDS, until

RENTER = "renter"
SETTLE_PATIENCE, OFFER_PATIENCE = 150.0, 120.0
# What the renter runs: enough work to see seconds pass, and an answer to see that it was done.
JOB = (
    "import random, time; began = time.time(); random.seed(7); n = 3_000_000; "
    "inside = sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(n)); "
    "print(f'pi is about {4 * inside / n:.4f}, from {n:,} points in {time.time() - began:.1f} s')"
)


@dataclass(frozen=True)
class JobDone:
    """A job that ran on a lease."""

    lease_id: int
    status: int
    output: str


async def lease_and_run(network: Network, progress: Progress) -> JobDone:
    """Search, rent, run, end: each step a command that any renter would type."""
    together = str(NODE_DEVICES)
    # Of the provider whose operator is shown at work, whoever else has devices together on offer.
    provider = network.participants[min(network.plan.operated)].address
    found = await _until_on_offer(network, provider)
    progress.done(f"renter finds {len(found)} measured listings on offer and wants {together} devices together")
    rent = ("rent", "--gpus", together, "--provider", provider, "--duration", "2m", "--yes", "-o", "json")
    rented = json.loads(await network.assay(RENTER, *rent))
    lease = str(rented["leaseId"])
    progress.done(
        f"lease {lease}: deposit in escrow; {' and '.join(map(short, rented['deviceIds']))} proved themselves at one "
        f"instant to the renter, who verified that on this CPU in {rented['verifyMs']:.0f} ms; money streams"
    )
    command = ["--", "python3", "-c", JOB]
    ran = json.loads(await network.assay(RENTER, "run", lease, "-o", "json", after=command))
    progress.done(f"the job ran on the leased node: {ran['output'].strip()}")
    await network.assay(RENTER, "end", lease, "--yes", "--no-refund")
    progress.done(f"lease {lease} ended by the renter; what has streamed waits out the holdback")
    return JobDone(int(lease), int(ran["exitCode"]), ran["output"])


async def _until_on_offer(network: Network, provider: str) -> list[dict[str, Any]]:
    """What a search finds once the provider's node is in it: on a busy machine one of its devices may miss an epoch."""
    patience = network.plan.patience(OFFER_PATIENCE)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        network.processes.check()
        found = json.loads(await network.assay(RENTER, "search", "-o", "json", reads_only=True))["devices"]
        if any((one["gpus"], one["provider"].lower()) == (NODE_DEVICES, provider.lower()) for one in found):
            return list(found)
        await asyncio.sleep(POLL_SECONDS)
    raise TookTooLong(f"a node of {NODE_DEVICES} devices on offer", patience)


async def settle(network: Network, progress: Progress, job: JobDone) -> LeaseResult:
    """The renter's refund when the minimum that it pays is over, the provider's claim and bond when the holdback is.
    Raises DevnetError where the lease was not what it should be.
    """
    ledger = network.ledger
    await until("the end of the lease", SETTLE_PATIENCE, network, lambda: _refundable(ledger, job))
    await network.assay(RENTER, "refund", str(job.lease_id))
    progress.done("the renter has the rest of the deposit back")
    with progress.console.status("holdback: the provider's claim waits until no refund for downtime can come"):
        lease = await until(
            "the provider's claim and bond", SETTLE_PATIENCE, network, lambda: _when_claimed(network, ledger, job)
        )
    _check(network, lease)
    progress.done(f"{lease.operator} has claimed all that streamed, and the bond, for {lease.paid_to}")
    return lease


def _check(network: Network, lease: LeaseResult) -> None:
    """Raises DevnetError unless the lease was of a whole node, by an operator, and paid to the provider's payout."""
    host = host_of(lease.provider)
    found = (lease.devices, lease.provider in network.plan.operated, lease.operator, lease.paid_to)
    if found != (NODE_DEVICES, True, host.operator, host.payout):
        raise DevnetError(
            f"lease {lease.lease_id} is of {lease.devices} devices of {lease.provider}, by {lease.operator}, paid to "
            f"{lease.paid_to}; a node of {NODE_DEVICES}, by {host.operator}, paid to {host.payout} was to be leased"
        )


def _refundable(ledger: Ledger, job: JobDone) -> int | None:
    """What the renter can have back, None for nothing. A renter who is quicker than the minimum waits for it."""
    return int(ledger.contract("LeaseEscrow").functions.refundable(job.lease_id).call()) or None


def _when_claimed(network: Network, ledger: Ledger, job: JobDone) -> LeaseResult | None:
    fields = ledger.fields("LeaseEscrow", "lease", job.lease_id)
    streamed = int(ledger.contract("LeaseEscrow").functions.streamed(job.lease_id).call())
    if fields["claimed"] < streamed or not fields["bondReturned"]:
        return None
    claims, returns, (opened,) = (
        _events(ledger, name, job.lease_id) for name in ("LeaseClaimed", "BondReturned", "LeaseOpened")
    )
    receivers = sorted({network.name_of(paid["receiver"]) for paid in (*claims, *returns)})
    token = ledger.contract("TestToken").functions
    return LeaseResult(
        lease_id=job.lease_id,
        devices=int(fields["devices"]),
        provider=network.name_of(fields["provider"]),
        operator=network.name_of(opened["offer"]["operator"]),
        paid_to=", ".join(receivers),
        token=str(token.symbol().call()),
        decimals=int(token.decimals().call()),
        rate=int(fields["rate"]),
        seconds=int(fields["stop"] - fields["start"]),
        deposit=int(fields["deposit"]),
        streamed=streamed,
        claimed=sum(int(claim["amount"]) for claim in claims),
        fee=sum(int(claim["fee"]) for claim in claims),
        refunded=int(fields["refunded"]),
        bond=int(fields["bond"]),
        bond_returned=sum(int(paid["amount"]) for paid in returns),
        job_status=job.status,
        job_output=job.output,
    )


def _events(ledger: Ledger, name: str, lease_id: int) -> list[Any]:
    return [log["args"] for log in ledger.events("LeaseEscrow", name) if log["args"]["leaseId"] == lease_id]
