"""What validators and providers serve: kept only where it proves against the chain or a signature."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, Table

from assay.market.store.metadata import account, amount, digest, flag, key, metadata, number, rate, text

measurements = Table(
    "measurements", metadata,
    key("epoch", BigInteger), key("device_id", LargeBinary),
    number("seal_index"), number("profile"), number("score_gops"), number("memory_mib"), number("uptime_bps"),
    number("flags"), digest("result_root"),
    Index(None, "device_id", "epoch"),
)  # fmt: skip

rewards = Table(
    "rewards", metadata,
    key("epoch", BigInteger), key("account", String(42)), amount("cumulative"),
    Index(None, "account", "epoch"),
)  # fmt: skip

# What each seat signed of each device. Testimony: the signature proves who said it, nothing proves what was said.
observations = Table(
    "observations", metadata,
    key("epoch", BigInteger), key("account", String(42)), key("device_id", LargeBinary),
    digest("result_root"), number("elapsed_us"), number("flags"), number("uptime_bps"),
    Index(None, "device_id", "epoch"),
)  # fmt: skip

# One line a seat and epoch: how many devices it spoke of, and on how many the report says otherwise.
batches = Table(
    "batches", metadata,
    key("epoch", BigInteger), key("account", String(42)),
    digest("batch_root"), digest("signature"), number("devices"), number("passed"), number("otherwise"),
    Index(None, "account", "epoch"),
)  # fmt: skip

# Served content that did not prove: shown as what it is, and by whom; nothing else reads it.
refusals = Table(
    "refusals", metadata,
    key("epoch", BigInteger), key("kind", String(16)), key("source", String(300)), text("reason", 400),
)  # fmt: skip

specifications = Table(
    "specifications", metadata,
    key("spec_hash", LargeBinary), text("model", 80), number("memory_mib"), text("region", 40),
    text("document", 8192),
)  # fmt: skip

offers = Table(
    "offers", metadata,
    key("digest", LargeBinary),
    account("provider"), digest("device_id"), account("token"), rate("rate"), number("min_duration"),
    number("max_duration"), number("valid_until"), number("nonce"), account("renter"), digest("signature"),
    Index(None, "device_id"), Index(None, "valid_until"),
)  # fmt: skip

# One row a device: everything that search filters and sorts by, worked out from the other tables.
listings = Table(
    "listings", metadata,
    key("device_id", LargeBinary),
    text("state", 12), account("provider"), number("profile"), text("model", 80), text("region", 40),
    number("memory_mib"), flag("memory_proven"), number("score_gops"), number("uptime_bps"),
    number("reliability_bps"), number("measured_epoch"), number("passed_epoch"), number("flags"), number("enrolled_at"),
    account("token"), rate("rate"), rate("unit_rate"), number("min_duration"), number("max_duration"),
    digest("offer"), number("valid_until"), number("busy_until"),
    number("changes_at"), Index(None, "changes_at"), Index(None, "passed_epoch"),
    Index(None, "provider", "device_id"),
)  # fmt: skip

# How many listings share these facets: counts beside the filters without counting rows.
facet_counts = Table(
    "facet_counts", metadata,
    key("state", String(12)), key("profile", BigInteger), key("model", String(80)), key("region", String(40)),
    key("memory_gib", BigInteger), key("token", String(42)), number("count"),
)  # fmt: skip

CONTENT_TABLES = (
    measurements, rewards, observations, batches, refusals, specifications, offers, listings, facet_counts,
)  # fmt: skip
