"""The renter's part of the demo: a measured device leased, used and paid by the second."""

from __future__ import annotations

import json
from dataclasses import dataclass

from assay.devnet.ledger import Ledger
from assay.devnet.network import Network
from assay.devnet.outcome import LeaseResult
from assay.devnet.progress import Progress
from assay.devnet.tables import short
from assay.devnet.waiting import until

RENTER = "renter"
SETTLE_PATIENCE = 150.0
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
    found = json.loads(await network.assay(RENTER, "search", "-o", "json", reads_only=True))["devices"]
    cheapest = found[0]["deviceId"]
    progress.done(f"renter finds {len(found)} measured devices on offer and takes the cheapest, {short(cheapest)}")
    rented = json.loads(await network.assay(RENTER, "rent", cheapest, "--duration", "2m", "--yes", "-o", "json"))
    lease = str(rented["leaseId"])
    progress.done(
        f"lease {lease}: deposit in escrow; the device proved itself to the renter, who verified that on this CPU in "
        f"{rented['verifyMs']:.0f} ms; money streams by the second"
    )
    command = ["--", "python3", "-c", JOB]
    ran = json.loads(await network.assay(RENTER, "run", lease, "-o", "json", after=command))
    progress.done(f"the job ran on the leased device: {ran['output'].strip()}")
    await network.assay(RENTER, "end", lease, "--yes", "--no-refund")
    progress.done(f"lease {lease} ended by the renter; what has streamed waits out the holdback")
    return JobDone(int(lease), int(ran["exitCode"]), ran["output"])


async def settle(network: Network, progress: Progress, job: JobDone) -> LeaseResult:
    """The renter's refund at once, the provider's claim when the holdback is over."""
    await network.assay(RENTER, "refund", str(job.lease_id))
    progress.done("the renter has the rest of the deposit back")
    ledger = network.ledger
    with progress.console.status("holdback: the provider's claim waits until no refund for downtime can come"):
        lease = await until("the provider's claim", SETTLE_PATIENCE, network, lambda: _when_claimed(ledger, job))
    progress.done("the provider has claimed all that streamed")
    return lease


def _when_claimed(ledger: Ledger, job: JobDone) -> LeaseResult | None:
    fields = ledger.fields("LeaseEscrow", "lease", job.lease_id)
    streamed = int(ledger.contract("LeaseEscrow").functions.streamed(job.lease_id).call())
    if fields["claimed"] < streamed:
        return None
    claims = [
        log["args"] for log in ledger.events("LeaseEscrow", "LeaseClaimed") if log["args"]["leaseId"] == job.lease_id
    ]
    token = ledger.contract("TestToken").functions
    return LeaseResult(
        lease_id=job.lease_id,
        token=str(token.symbol().call()),
        decimals=int(token.decimals().call()),
        rate=int(fields["rate"]),
        seconds=int(fields["stop"] - fields["start"]),
        deposit=int(fields["deposit"]),
        streamed=streamed,
        claimed=sum(int(claim["amount"]) for claim in claims),
        fee=sum(int(claim["fee"]) for claim in claims),
        refunded=int(fields["refunded"]),
        job_status=job.status,
        job_output=job.output,
    )
