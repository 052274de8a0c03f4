"""Every table of the database, from one place."""

from assay.market.store.chain_tables import (
    devices,
    epochs,
    event_parties,
    events,
    faults,
    leases,
    profiles,
    set_seats,
    sets,
    slashes,
    stakes,
    validators,
    wrong_elements,
)
from assay.market.store.content_tables import (
    facet_counts,
    listings,
    measurements,
    offers,
    refusals,
    rewards,
    specifications,
)
from assay.market.store.sync_tables import identity, tips, undo

__all__ = [
    "devices",
    "epochs",
    "event_parties",
    "events",
    "facet_counts",
    "faults",
    "identity",
    "leases",
    "listings",
    "measurements",
    "offers",
    "profiles",
    "refusals",
    "rewards",
    "set_seats",
    "sets",
    "slashes",
    "specifications",
    "stakes",
    "tips",
    "undo",
    "validators",
    "wrong_elements",
]
