"""What search sees of a device, and of a node of several that are on offer together, worked out from everything else
that is known of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.market.projection.devices import RETIRED, SLASHED
from assay.market.projection.lease_money import ACTIVE
from assay.market.store.rows import Change, Row
from assay.proof.probe.calibration import deadline_us
from assay.proof.probe.layout import SECTOR_VALUES, STEPS, lanes
from assay.protocol.keccak import keccak
from assay.protocol.leaves import Flag
from assay.protocol.profile import Profile
from assay.protocol.types import DeviceId
from assay.sheet.declared import HOST_COLUMNS, declared_of_all
from assay.sheet.model_names import named_model, of_expected_bps
from assay.sheet.reliability import lower_bound_bps, rank_rate

# A listing is in exactly one state.
AVAILABLE = "available"  # passed lately, and an offer to anyone is good
LEASED = "leased"
NODE_ONLY = "node-only"  # passed lately, on offer only together with others
UNPRICED = "unpriced"  # passed lately, no offer
FAILING = "failing"  # measured, but has not passed lately
NEW = "new"  # never measured
RETIRED_STATE, SLASHED_STATE = "retired", "slashed"
STATES = (AVAILABLE, LEASED, NODE_ONLY, UNPRICED, FAILING, NEW, RETIRED_STATE, SLASHED_STATE)
FRESH_STATES = (AVAILABLE, NODE_ONLY, UNPRICED)

NO_TOKEN = ""
MAX_MODELS = 80  # characters
FULL_BPS = 10_000
MAX_RANK = (1 << 128) - 2  # what has no price comes behind
SECTOR_BYTES = 2 * SECTOR_VALUES


@dataclass(frozen=True, slots=True)
class Now:
    """The index's own time: timestamp of its newest block, and the oldest epoch
    whose pass still opens a lease.
    """

    timestamp: int
    oldest_pass: int


@dataclass(frozen=True, slots=True)
class Member:
    """A device of a listing, with its specification, the lease that its `active_lease` names, and its profile."""

    device: Mapping[str, Any]
    specification: Mapping[str, Any] | None
    lease: Mapping[str, Any] | None
    profile: Mapping[str, Any] | None = None
    slashes: int = 0  # of its provider

    @property
    def max_gops(self) -> int:
        """The most that its profile lets it score, 0 for no bound."""
        return self.profile["max_gops"] if self.profile else 0

    def busy_until(self, now: Now) -> int:
        """When its lease ends; 0 where none runs, or one runs that another may take the place of."""
        lease = self.lease
        if lease is None or lease["status"] != ACTIVE or lease["left_early"] or lease["stop"] <= now.timestamp:
            return 0
        return int(lease["stop"])


@dataclass(frozen=True, slots=True)
class Passed:
    """The newest epoch in which all devices of a listing passed, and the least that any of them showed in it."""

    epoch: int
    score_gops: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The offer that a listing stands for, and the first second at which it is no longer good."""

    offer: Mapping[str, Any]
    until: int


def listing_id(device_ids: Sequence[DeviceId]) -> bytes:
    """What names a listing: the device id of one device, H of the ids of several, whatever they cost."""
    return device_ids[0] if len(device_ids) == 1 else keccak(b"".join(device_ids))


def listing(members: Sequence[Member], priced: Priced | None, passed: Passed | None, in_node: bool, now: Now) -> Row:
    """The columns of the listing of these devices. `passed` is None where no epoch passed them all; `in_node` says that
    a single device is on offer as part of a node.
    """
    busy_until = max(member.busy_until(now) for member in members)
    fresh = passed is not None and passed.epoch >= now.oldest_pass
    offer = priced.offer if priced else None
    score = passed.score_gops if passed else 0
    proven = passed.memory_mib if passed else 0
    declared = min((m.specification or {}).get("memory_mib", 0) for m in members)
    changes = [moment for moment in (priced.until if priced else 0, busy_until) if moment]
    devices = [member.device for member in members]
    flags = 0
    for device in devices:
        flags |= device["measured_flags"]
    low = min(lower_bound_bps(m.device["passed"], m.device["measured"], m.slashes) for m in members)
    return {
        "measured_epochs": min(device["measured"] for device in devices),
        "reliability_low_bps": low,
        "provider_slashes": members[0].slashes,
        "rank_rate": rank_rate(offer["rate"], len(devices), low, MAX_RANK) if offer else None,
        "device_ids": tuple(device["device_id"] for device in devices),
        "gpus": len(devices),
        "state": _state(devices, fresh, busy_until > 0, offer is not None, in_node),
        "provider": devices[0]["provider"],
        "profile": _common([device["profile"] for device in devices], 0),
        "model": _models([(m.specification or {}).get("model", "") for m in members]),
        "region": _common([(m.specification or {}).get("region", "") for m in members], ""),
        # What a report proved; as long as none has, what the provider declares, and called that.
        "memory_mib": proven or declared,
        "memory_proven": proven > 0,
        "score_gops": score,
        "uptime_bps": min(device["uptime_bps"] for device in devices),
        "reliability_bps": min(d["passed"] * FULL_BPS // d["measured"] if d["measured"] else 0 for d in devices),
        "measured_epoch": min(device["measured_epoch"] for device in devices),
        "passed_epoch": passed.epoch if passed else 0,
        "flags": flags,
        "enrolled_at": max(device["enrolled_at"] for device in devices),
        "operator": offer["operator"] if offer else None,
        "token": offer["token"] if offer else None,
        "rate": offer["rate"] if offer else None,
        "unit_rate": offer["rate"] // max(score * len(devices), 1) if offer else None,
        "min_duration": offer["min_duration"] if offer else 0,
        "max_duration": offer["max_duration"] if offer else 0,
        "notice": offer["notice"] if offer else 0,
        "offer": offer["offer_hash"] if offer else None,
        "valid_until": offer["valid_until"] if offer else 0,
        "busy_until": busy_until,
        "changes_at": min(changes, default=0),
        **_host([m.specification for m in members]),
        **_model(members, score),
        **_sheet(members, proven),
    }


def _host(specifications: Sequence[Mapping[str, Any] | None]) -> dict[str, int]:
    """What all of them declare of their machine together; nothing where one declares nothing."""
    each = [{name: spec.get(name, 0) if spec else 0 for name in HOST_COLUMNS} for spec in specifications]
    whole = all(min(one.values()) > 0 for one in each)
    return {name: sum(one[name] for one in each) if whole else 0 for name in HOST_COLUMNS}


def _model(members: Sequence[Member], score: int) -> dict[str, Any]:
    """What is known of the models that the devices declare. The whole is as far from what it should make as the
    least score would be of the device of which most is expected.
    """
    named = [named_model(s.get("model", ""), s.get("memory_mib", 0)) for m in members for s in (m.specification or {},)]
    expected = [min(n.expected_gops, m.max_gops or n.expected_gops) for n, m in zip(named, members, strict=True)]
    return {
        "model_name": _models([one.name for one in named]),
        "declared_mib": min((m.specification or {}).get("memory_mib", 0) for m in members),
        "memory_gb": min(one.memory_gb for one in named),
        "expected_gops": max(expected) if all(expected) else 0,
        "of_expected_bps": of_expected_bps(score, max(expected)) if all(expected) else 0,
    }


def _sheet(members: Sequence[Member], proven_mib: int) -> dict[str, Any]:
    """What of a sheet stands nowhere else."""
    specs = [m.specification or {} for m in members]
    told = [(one.get("document", ""), one.get("model", ""), one.get("memory_mib", 0)) for one in specs]
    floors = [read_floor(m.profile) for m in members if m.profile] if proven_mib else []
    return {"memory_read_gbs": min(floors) if len(floors) == len(members) else 0, **declared_of_all(told)}


def shape_of(profile: Mapping[str, Any]) -> Profile:
    """The work of a profile's row, whatever it costs and earns."""
    return Profile(0, *(profile[name] for name in ("m", "n", "k", "t", "chunk", "samples", "w")))


def read_floor(profile: Mapping[str, Any]) -> int:
    """GB a second that a device of this profile read its memory at, at least, where it showed it in time."""
    shape = shape_of(profile)
    return lanes(shape) * STEPS * SECTOR_BYTES // (deadline_us(shape) * 1000)


def _models(declared: Sequence[str]) -> str:
    """Each model once, in the order of the devices; how many where they are too long a text."""
    each = [model for model in dict.fromkeys(declared) if model]
    together = ", ".join(each)
    return together if len(together) <= MAX_MODELS else f"{len(each)} models"


def _common(values: Sequence[Any], otherwise: Any) -> Any:
    """What all have, else nothing that a search could take for it."""
    return values[0] if all(value == values[0] for value in values) else otherwise


def _state(devices: Sequence[Mapping[str, Any]], fresh: bool, leased: bool, priced: bool, in_node: bool) -> str:
    statuses = {device["status"] for device in devices}
    if SLASHED in statuses:
        return SLASHED_STATE
    if leased:
        return LEASED
    if RETIRED in statuses:
        return RETIRED_STATE
    if fresh:
        return AVAILABLE if priced else NODE_ONLY if in_node else UNPRICED
    return FAILING if all(device["measured"] for device in devices) else NEW


def facets(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The facet values that a listing is counted under, in the order of `facet_counts`' key."""
    return (
        row["state"],
        row["profile"],
        row["model_name"],
        row["region"],
        row["memory_mib"] // 1024,
        row["token"] or NO_TOKEN,
        row["gpus"],
    )


def recount(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterable[Change]:
    """Moves a listing from the count of its old facets to that of its new ones; None where there is no listing."""
    if before is not None and after is not None and facets(before) == facets(after):
        return
    if before is not None:
        yield Change("facet_counts", facets(before), add={"count": -1})
    if after is not None:
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
