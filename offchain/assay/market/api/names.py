"""Names of what contracts number."""

from __future__ import annotations

from assay.protocol.epochs import Phase

PHASES = {int(phase): phase.name.lower() for phase in Phase if phase}
LEASE_STATUSES = {1: "pending", 2: "active", 3: "ended", 4: "cancelled"}
DEVICE_STATUSES = {1: "active", 2: "retired", 3: "slashed"}
FAULTS = {
    1: "wrong element",
    2: "broken chain",
    3: "two commitments",
    4: "withheld opening",
    5: "two statements",
    6: "false pass",
    7: "bad seal",
    8: "unsealed pass",
    9: "shrunk reward",
}
DEMANDS = {1: "open", 2: "answered", 3: "expired", 4: "closed"}
SLASHES = {1: "held", 2: "settled", 3: "restored"}
UNKNOWN = "unknown"
