"""What the renter's commands show, as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from assay.chain.leases import Lease, LeaseStatus
from assay.protocol.hexadecimal import to_hex
from assay.renter.downtime import DowntimeFound
from assay.renter.listing import Listing
from assay.renter.money import show_amount
from assay.renter.planned import Planned
from assay.renter.provider_session import JobState
from assay.renter.renter import Rented
from assay.renter.wallet import Done

LISTING_COLUMNS = {
    "shortId": "device", "model": "model", "region": "region", "scoreGops": "score, gops", "memoryMiB": "memory, MiB",
    "uptime": "uptime, %", "price": "price an hour", "value": "gops per token", "roundTripMs": "round trip, ms",
    "checked": "checked",
}  # fmt: skip
LISTING_FIELDS = (
    "deviceId", "shortId", "provider", "endpoint", "model", "region", "profile", "epoch", "scoreGops", "memoryMiB",
    "uptimeBps", "uptime", "pricePerHour", "symbol", "price", "value", "token", "rate", "minDuration", "maxDuration",
    "validUntil", "roundTripMs", "checked",
)  # fmt: skip
LEASE_COLUMNS = {
    "leaseId": "lease", "status": "status", "shortId": "device", "timeLeft": "time left", "deposit": "deposit",
    "streamed": "streamed", "refunded": "refunded",
}  # fmt: skip
JOB_COLUMNS = {"jobId": "job", "status": "status", "exitCode": "exit code", "reason": "reason"}
PLAN_COLUMNS = {"name": "transaction", "to": "to", "calldata": "calldata"}
SHORT = 12


def short_id(name: str) -> str:
    """The beginning of a device id: enough to type."""
    return name[:SHORT]


def listing_json(listing: Listing, symbol: str) -> dict[str, Any]:
    """A listing; the price in whole tokens an hour, by their symbol; `checked` yes, no, or why it did not hold."""
    checked = "yes" if listing.evidence is not None else listing.doubt or "no"
    return {
        "deviceId": listing.name,
        "shortId": short_id(listing.name),
        "provider": listing.provider,
        "endpoint": listing.endpoint,
        "model": listing.model,
        "region": listing.region,
        "profile": listing.profile,
        "epoch": listing.epoch,
        "scoreGops": listing.score_gops,
        "memoryMiB": listing.memory_mib,
        "uptimeBps": listing.uptime_bps,
        "uptime": listing.uptime_bps / 100,
        "pricePerHour": price_text(listing),
        "symbol": symbol,
        "price": f"{price_text(listing)} {symbol}",
        "value": round(float(listing.value), 2),
        "token": listing.token,
        "rate": str(listing.rate),
        "minDuration": listing.min_duration,
        "maxDuration": listing.max_duration,
        "validUntil": listing.valid_until,
        "roundTripMs": None if listing.round_trip_ms is None else round(listing.round_trip_ms, 1),
        "checked": checked,
    }


def price_text(listing: Listing) -> str:
    """Whole tokens an hour, to the token's last digit at most, at least two."""
    exact = listing.price.quantize(Decimal(1).scaleb(-listing.decimals))
    whole, _, fraction = format(exact, "f").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def lease_json(lease: Lease, streamed: int, decimals: int, now: float) -> dict[str, Any]:
    """A lease: amounts in whole tokens, and under `baseUnits` exactly."""
    amounts = {
        "deposit": lease.deposit,
        "streamed": streamed,
        "claimed": lease.claimed,
        "refunded": lease.refunded,
        "bond": lease.bond,
    }
    left = max(0, lease.stop - int(now)) if lease.status is LeaseStatus.ACTIVE else 0
    name = to_hex(lease.device_id)
    return {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower() if left or lease.status is not LeaseStatus.ACTIVE else "run out",
        "deviceId": name,
        "shortId": short_id(name),
        "renter": lease.renter,
        "provider": lease.provider,
        "token": lease.token,
        "decimals": decimals,
        "rate": str(lease.rate),
        "start": lease.start,
        "stop": lease.stop,
        "secondsLeft": left,
        "timeLeft": duration_text(left) if left else "",
        **{name: show_amount(value, decimals) for name, value in amounts.items()},
        "baseUnits": {name: str(value) for name, value in amounts.items()},
    }


def rented_json(rented: Rented, deposit: int) -> dict[str, Any]:
    """A lease that was rented, with what each step took in seconds."""
    lease, proof = rented.lease, rented.proof
    return {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower(),
        "deviceId": to_hex(lease.device_id),
        "deposit": str(deposit),
        "stop": lease.stop,
        "proofMs": round(proof.proof_ms, 1),
        "verifyMs": round(proof.verify_ms, 1),
        "scoreGops": proof.score_gops,
        "resultRoot": to_hex(proof.result_root),
        "steps": {step.name.value: round(step.seconds, 3) for step in rented.steps},
        "transactions": transactions_json(rented.transactions),
    }


def transactions_json(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Transactions that were mined."""
    return [{"name": one.name, "hash": one.hash or None, "gas": one.gas_used} for one in done]


def planned_json(planned: Iterable[Planned]) -> list[dict[str, Any]]:
    """Transactions that would be sent; the value in wei."""
    return [{"name": one.name, "to": one.to, "value": str(one.value), "calldata": one.calldata} for one in planned]


def downtime_json(found: DowntimeFound, decimals: int) -> list[dict[str, Any]]:
    """Epochs whose downtime was claimed."""
    return [
        {"epoch": one.epoch, "seconds": one.seconds, "amount": show_amount(one.amount, decimals)}
        for one in found.claimable
    ]


def job_json(state: JobState) -> dict[str, Any]:
    """A job."""
    return {"jobId": state.job_id, "status": state.status, "exitCode": state.exit_code, "reason": state.reason}


def duration_text(seconds: int) -> str:
    """`1d 2h`, `2h 5m`, `5m 3s`, `3s`."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return " ".join(parts[:2]) or "0s"
