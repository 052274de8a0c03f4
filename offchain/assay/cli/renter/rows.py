"""What the renter's commands show, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from assay.chain.contracts.leases import LeaseStatus
from assay.cli.renter.texts import duration_text, gib_text, host_text
from assay.protocol.hexadecimal import to_hex
from assay.protocol.rates import price_per_hour
from assay.renter.lease.downtime import DowntimeFound
from assay.renter.lease.lease_views import LeaseView
from assay.renter.lease.leaving import notice_over
from assay.renter.lease.planned import Planned
from assay.renter.lease.rented import Rented
from assay.renter.market.listing import Listing
from assay.renter.money.amounts import rounded, show_amount
from assay.renter.money.wallet import Done
from assay.renter.session.provider_session import JobState
from assay.sheet.fields import FIELDS
from assay.sheet.places import region_doubt
from assay.sheet.values import Sheet

LISTING_COLUMNS = {
    "shortId": "device", "gpus": "GPUs", "model": "model", "region": "region", "scoreGops": "score, gops",
    "ofExpected": "of expected, %", "memoryText": "memory", "hostText": "machine, declared",
    "uptime": "uptime, %", "historyText": "passed at least",
    "price": "price an hour", "value": "gops per token", "noticeText": "notice",
    "roundTripMs": "round trip, ms", "checked": "checked",
}  # fmt: skip
LISTING_FIELDS = (
    "deviceId", "shortId", "gpus", "deviceIds", "offerHash", "provider", "endpoint", "model", "region", "regionDoubt",
    "profile", "epoch", "scoreGops", "expectedGops", "ofExpectedBps", "ofExpected", "memoryGb", "memoryMiB",
    "memoryText", "modelName", "host", "hostText", "uptimeBps", "uptime", "measuredEpochs", "reliabilityLowBps",
    "providerSlashes", "historyText", "pricePerHour", "symbol", "price",
    "pricePerGpuHour", "value", "token", "rate", "minDuration", "maxDuration", "notice", "noticeText", "validUntil",
    "roundTripMs", "checked", "sheet",
)  # fmt: skip
SHEET_COLUMNS = {"what": "what", "value": "value", "unit": "unit", "source": "whose word"}
LEASE_COLUMNS = {
    "leaseId": "lease", "state": "status", "shortId": "device", "gpus": "GPUs", "timeLeft": "time left",
    "deposit": "deposit", "streamed": "streamed", "refunded": "refunded", "downtimeText": "downtime",
}  # fmt: skip
JOB_COLUMNS = {"jobId": "job", "status": "status", "exitCode": "exit code", "reason": "reason"}
PLAN_COLUMNS = {"name": "transaction", "to": "to", "calldata": "calldata"}
SHORT = 12


def short_id(name: str) -> str:
    """The beginning of a device id: enough to type."""
    return name[:SHORT]


def listing_json(listing: Listing, symbol: str, here: str = "") -> dict[str, Any]:
    """A listing; prices in whole tokens an hour, by their symbol; `checked` yes, no, or why it did not hold. Score,
    memory and uptime are the least of its devices. `regionDoubt` says why it is not where it says, seen from `here`."""
    checked = "yes" if listing.evidence is not None else listing.doubt or "no"
    return {
        "deviceId": listing.name,
        "shortId": short_id(listing.name),
        "gpus": listing.gpus,
        "deviceIds": [to_hex(device_id) for device_id in listing.device_ids],
        "offerHash": to_hex(listing.offer_hash),
        "provider": listing.provider,
        "endpoint": listing.endpoint,
        "model": listing.model,
        "region": listing.region,
        "regionDoubt": region_doubt(listing.region, here, listing.round_trip_ms) or None,
        "profile": listing.profile,
        "epoch": listing.epoch,
        "scoreGops": listing.score_gops,
        "expectedGops": listing.expected_gops,
        "ofExpectedBps": listing.of_expected_bps,
        "ofExpected": listing.of_expected_bps / 100,
        "memoryGb": listing.named.memory_gb,
        "memoryMiB": listing.memory_mib,
        "memoryText": memory_text(listing),
        "modelName": listing.named.name,
        "host": listing.host.to_json() if listing.host else None,
        "hostText": host_text(listing.host),
        "uptimeBps": listing.uptime_bps,
        "uptime": listing.uptime_bps / 100,
        "measuredEpochs": listing.measured_epochs,
        "reliabilityLowBps": listing.reliability_low_bps,
        "providerSlashes": listing.provider_slashes,
        "historyText": history_text(listing),
        "pricePerHour": price_text(listing),
        "symbol": symbol,
        "price": f"{price_text(listing)} {symbol}",
        "pricePerGpuHour": price_text(listing, listing.gpus),
        "value": round(float(listing.value), 2),
        "token": listing.token,
        "rate": str(listing.rate),
        "minDuration": listing.min_duration,
        "maxDuration": listing.max_duration,
        "notice": listing.notice,
        "noticeText": duration_text(listing.notice) if listing.notice else "",
        "validUntil": listing.valid_until,
        "roundTripMs": None if listing.round_trip_ms is None else round(listing.round_trip_ms, 1),
        "checked": checked,
        "sheet": {name: value.to_json() for name, value in listing.sheet.items()},
    }


def sheet_rows(sheet: Sheet, testimony: Sheet) -> list[dict[str, Any]]:
    """A line for each value of a sheet, also of those that nobody tells, and below it what renters say of it."""
    rows = []
    for field in FIELDS:
        value = sheet.get(field.name)
        known = {"value": value.value, "unit": value.unit, "source": value.whose} if value else {}
        rows.append({"name": field.name, "what": field.help, "value": "", "unit": "", "source": "", **known})
        if said := testimony.get(field.name):
            what = {"name": field.name, "what": "  measured in leases, the median"}
            rows.append({**what, "value": said.value, "unit": said.unit, "source": said.whose})
    return rows


def listing_text(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `listing_json` for people: what was shown and rounds to nothing is less than one, not nothing. A
    device's first work is its slowest, and a small class shows no memory."""
    least = {"scoreGops": "< 1", "value": "", "ofExpected": ""}
    row = {**row, "model": row["modelName"]}
    if row["regionDoubt"]:
        row["region"] += " (nearer)"
    row["price"] = f"{rounded(row['pricePerHour'], 2)} {row['symbol']}"
    return {**row, **{name: text for name, text in least.items() if not row[name]}}


def history_text(listing: Listing) -> str:
    """How much of how many epochs it is sure to pass, and what its provider was slashed for: `97.2 % of 340`."""
    sure = f"{listing.reliability_low_bps / 100:.1f} % of {listing.measured_epochs}" if listing.measured_epochs else ""
    slashed = f"provider slashed {listing.provider_slashes}x" if listing.provider_slashes else ""
    return ", ".join(filter(None, (sure, slashed)))


def memory_text(listing: Listing) -> str:
    """What the declared card is sold with, and what of it was proven: `80 GB, 64.0 GiB proven`. A market may show the
    declared memory in the place of a proven one; then nothing is said to be proven."""
    proven = listing.memory_mib if listing.memory_mib != listing.declared_mib or listing.evidence is not None else 0
    sold = f"{listing.named.memory_gb} GB" if listing.named.memory_gb else "not declared"
    return f"{sold}, {gib_text(proven)} proven" if proven else f"{sold}, none proven"


def price_text(listing: Listing, parts: int = 1) -> str:
    """Whole tokens an hour, or a part of them."""
    return _price_text(listing.price / parts, listing.decimals)


def hourly_text(rate: int, decimals: int) -> str:
    """A rate in whole tokens an hour."""
    return _price_text(price_per_hour(rate, decimals), decimals)


def _price_text(price: Decimal, decimals: int) -> str:
    """To the token's last digit at most, at least two."""
    whole, _, fraction = format(price.quantize(Decimal(1).scaleb(-decimals)), "f").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def lease_json(view: LeaseView, decimals: int) -> dict[str, Any]:
    """A lease: amounts in whole tokens, and under `baseUnits` exactly. `state` is how it stands in words,
    `leavingCosts` what leaving it now costs its renter."""
    lease, way = view.lease, view.leaving
    amounts = {
        "deposit": lease.deposit,
        "streamed": view.streamed,
        "claimed": lease.claimed,
        "refunded": lease.refunded,
        "downtimeRefund": lease.downtime_refund,
        "bond": lease.bond,
        "forfeited": lease.forfeited,
        "forfeitable": lease.forfeitable,
        "leavingCosts": way.cost,
    }
    left = max(0, lease.stop - view.now) if lease.status is LeaseStatus.ACTIVE else 0
    ids = [to_hex(device_id) for device_id in view.device_ids]
    # Until the start the escrow holds none of these: they stand in the offer.
    rate = lease.rate or (view.offer.rate if view.offer else 0)
    notice = lease.notice or (view.offer.notice if view.offer else 0)
    return {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower(),
        "state": _state(view),
        "deviceId": ids[0] if ids else None,
        "shortId": short_id(ids[0]) if ids else "",
        "gpus": lease.devices or len(ids),
        "deviceIds": ids,
        "renter": lease.renter,
        "provider": lease.provider,
        "operator": view.offer.operator if view.offer else None,
        "token": lease.token,
        "decimals": decimals,
        "rate": str(rate),
        "pricePerHour": hourly_text(rate, decimals),
        "start": lease.start,
        "stop": lease.stop,
        "secondsLeft": left,
        "timeLeft": duration_text(left) if left else "",
        "minDuration": lease.min_duration,
        "maxDuration": lease.max_duration,
        "notice": notice,
        "noticeAt": lease.notice_at or None,
        "providerFreeFrom": notice_over(lease) or None,
        "leftEarly": lease.left_early,
        "slashedDevice": to_hex(view.slashed) if view.slashed else None,
        "downtime": lease.downtime,
        "maxDowntime": view.max_downtime,
        "downtimeText": duration_text(lease.downtime) if lease.downtime else "",
        "leavingFree": way.free.value if way.free else None,
        "leavingFreeFrom": way.free_from or None,
        "bondReturned": lease.bond_returned,
        "offerHash": to_hex(view.offer.struct_hash()) if view.offer else None,
        **{name: show_amount(value, decimals) for name, value in amounts.items()},
        "baseUnits": {name: str(value) for name, value in amounts.items()},
    }


def lease_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `lease_json` for people."""
    return {**row, **{name: rounded(row[name]) for name in ("deposit", "streamed", "refunded")}}


def _state(view: LeaseView) -> str:
    lease = view.lease
    if lease.status is not LeaseStatus.ACTIVE:
        return lease.status.name.lower()
    if view.now >= lease.stop:
        return "run out"
    if view.slashed:
        return "device slashed"
    return "left early" if lease.left_early else "notice given" if lease.notice_at else "active"


def rented_json(rented: Rented, deposit: int) -> dict[str, Any]:
    """A lease that was rented, with what each step took in seconds; without the proof where it had convinced before."""
    lease, proof = rented.lease, rented.proof
    ids = [to_hex(device_id) for device_id in rented.offer.device_ids]
    values: dict[str, Any] = {
        "leaseId": lease.lease_id,
        "status": lease.status.name.lower(),
        "deviceId": ids[0],
        "gpus": len(ids),
        "deviceIds": ids,
        "deposit": str(deposit),
        "stop": lease.stop,
    }
    if proof is not None:
        values |= {
            "proofMs": round(proof.proof_ms, 1),
            "verifyMs": round(proof.verify_ms, 1),
            "scoreGops": proof.score_gops,
            "resultRoots": to_hex(proof.result_roots),
        }
    values["steps"] = {step.name.value: round(step.seconds, 3) for step in rented.steps}
    return {**values, "transactions": transactions_json(rented.transactions)}


def transactions_json(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Transactions that were mined."""
    return [{"name": one.name, "hash": one.hash or None, "gas": one.gas_used} for one in done]


def planned_json(planned: Iterable[Planned]) -> list[dict[str, Any]]:
    """Transactions that would be sent; the value in wei."""
    return [{"name": one.name, "to": one.to, "value": str(one.value), "calldata": one.calldata} for one in planned]


def downtime_json(found: DowntimeFound, decimals: int, told: Callable[[int, int], str]) -> list[dict[str, Any]]:
    """Epochs whose downtime was claimed, each by the line of its worst device; amounts as `told` writes them."""
    return [
        {
            "epoch": one.epoch,
            "deviceId": to_hex(one.measured.leaf.device_id),
            "seconds": one.seconds,
            "amount": told(one.amount, decimals),
        }
        for one in found.claimable
    ]


def job_json(state: JobState) -> dict[str, Any]:
    """A job."""
    return {"jobId": state.job_id, "status": state.status, "exitCode": state.exit_code, "reason": state.reason}
