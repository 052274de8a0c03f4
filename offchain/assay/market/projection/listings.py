"""What search sees of a device, worked out from everything else that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.market.projection.devices import RETIRED, SLASHED
from assay.market.projection.leases import ACTIVE
from assay.market.store.rows import Change, Row
from assay.protocol.flags import Flag

# A device is in exactly one state.
AVAILABLE = "available"  # passed lately, and an offer to anyone is good
LEASED = "leased"
UNPRICED = "unpriced"  # passed lately, no offer
FAILING = "failing"  # measured, but has not passed lately
NEW = "new"  # never measured
RETIRED_STATE, SLASHED_STATE = "retired", "slashed"
STATES = (AVAILABLE, LEASED, UNPRICED, FAILING, NEW, RETIRED_STATE, SLASHED_STATE)

FACETS = ("state", "profile", "model", "region", "memory_gib", "token")
NO_TOKEN = ""
FULL_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Now:
    """The index's own time: timestamp of its newest block, and the oldest epoch whose pass still opens a
    lease.
    """

    timestamp: int
    oldest_pass: int


def best_offer(offers: Iterable[Mapping[str, Any]], nonce_floor: int, now: Now) -> Mapping[str, Any] | None:
    """The provider's newest good offer: highest nonce, then longest valid, then cheapest."""
    good = [o for o in offers if o["nonce"] >= nonce_floor and o["valid_until"] > now.timestamp]
    return min(good, key=lambda o: (-o["nonce"], -o["valid_until"], o["rate"], o["digest"]), default=None)


def listing(
    device: Mapping[str, Any],
    offer: Mapping[str, Any] | None,
    specification: Mapping[str, Any] | None,
    lease: Mapping[str, Any] | None,
    now: Now,
) -> Row:
    """The columns of a device's listing. `lease` is the one its `active_lease` names."""
    fresh = device["passed"] > 0 and device["passed_epoch"] >= now.oldest_pass
    busy_until = lease["stop"] if lease and lease["status"] == ACTIVE and lease["stop"] > now.timestamp else 0
    state = _state(device, fresh, busy_until > 0, offer is not None)
    score = device["score_gops"]
    spec = specification or {}
    changes = [offer["valid_until"]] if offer else []
    if busy_until:
        changes.append(busy_until)
    return {
        "state": state,
        "provider": device["provider"],
        "profile": device["profile"],
        "model": spec.get("model", ""),
        "region": spec.get("region", ""),
        # What a report proved; as long as none has, what the provider declares, and called that.
        "memory_mib": device["memory_mib"] or spec.get("memory_mib", 0),
        "memory_proven": device["memory_mib"] > 0,
        "score_gops": score,
        "uptime_bps": device["uptime_bps"],
        "reliability_bps": device["passed"] * FULL_BPS // device["measured"] if device["measured"] else 0,
        "measured_epoch": device["measured_epoch"],
        "passed_epoch": device["passed_epoch"],
        "flags": device["measured_flags"],
        "enrolled_at": device["enrolled_at"],
        "token": offer["token"] if offer else None,
        "rate": offer["rate"] if offer else None,
        "unit_rate": offer["rate"] // max(score, 1) if offer else None,
        "min_duration": offer["min_duration"] if offer else 0,
        "max_duration": offer["max_duration"] if offer else 0,
        "offer": offer["digest"] if offer else None,
        "valid_until": offer["valid_until"] if offer else 0,
        "busy_until": busy_until,
        "changes_at": min(changes, default=0),
    }


def _state(device: Mapping[str, Any], fresh: bool, leased: bool, priced: bool) -> str:
    if device["status"] == SLASHED:
        return SLASHED_STATE
    if device["status"] == RETIRED:
        return RETIRED_STATE
    if leased:
        return LEASED
    if fresh:
        return AVAILABLE if priced else UNPRICED
    return FAILING if device["measured"] else NEW


def facets(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The facet values that a listing is counted under."""
    return (
        row["state"], row["profile"], row["model"], row["region"], row["memory_mib"] // 1024,
        row["token"] or NO_TOKEN,
    )  # fmt: skip


def recount(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterable[Change]:
    """Moves a listing from the count of its old facets to that of its new ones."""
    if before is not None and facets(before) == facets(after):
        return
    if before is not None:
        yield Change("facet_counts", facets(before), add={"count": -1})
    yield Change("facet_counts", facets(after), add={"count": 1})


def measured(device: Mapping[str, Any], leaf: Any) -> Change:
    """What a proven report leaf changes on its device, whatever the order in which reports are read."""
    # A leased device is left in peace: its epoch neither passed nor failed.
    counted = not leaf.flags & Flag.LEASED
    passed = leaf.flags == Flag.PASSED
    known: dict[str, Any] = {}
    if leaf.epoch >= device["measured_epoch"]:
        known |= {"measured_epoch": leaf.epoch, "measured_flags": leaf.flags, "uptime_bps": leaf.uptime_bps}
    if passed and leaf.epoch >= device["passed_epoch"]:
        known |= {"passed_epoch": leaf.epoch, "score_gops": leaf.score_gops, "memory_mib": leaf.memory_mib}
    add = {"uptime_sum": leaf.uptime_bps, "measured": int(counted), "passed": int(passed)}
    return Change("devices", (leaf.device_id,), known, add)
