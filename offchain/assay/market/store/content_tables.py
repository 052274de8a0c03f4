"""What validators and providers serve: kept only where it proves against the chain or a signature."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, Table

from assay.market.store.metadata import (
    account,
    amount,
    device_ids,
    digest,
    flag,
    key,
    metadata,
    number,
    rate,
    text,
    wide,
)

measurements = Table(
    "measurements", metadata,
    key("epoch", BigInteger), key("device_id", LargeBinary),
    number("seal_index"), number("profile"), number("score_gops"), number("memory_mib"), number("uptime_bps"),
    number("flags"), digest("result_root"),
    Index(None, "device_id", "epoch"),
)  # fmt: skip

rewards = Table(
    "rewards",
    metadata,
    key("epoch", BigInteger),
    key("account", String(42)),
    amount("cumulative"),
    Index(None, "account", "epoch"),
)

# What each seat signed of each device. Testimony: the signature proves who said it, nothing proves what was said.
observations = Table(
    "observations",
    metadata,
    key("epoch", BigInteger),
    key("account", String(42)),
    key("device_id", LargeBinary),
    digest("result_root"),
    number("elapsed_us"),
    number("flags"),
    number("uptime_bps"),
    Index(None, "device_id", "epoch"),
)

# One line a seat and epoch: how many devices it spoke of, and on how many the report says otherwise.
batches = Table(
    "batches",
    metadata,
    key("epoch", BigInteger),
    key("account", String(42)),
    digest("batch_root"),
    digest("signature"),
    number("devices"),
    number("passed"),
    number("otherwise"),
    Index(None, "account", "epoch"),
)

# Served content that did not prove: shown as what it is, and by whom; nothing else reads it.
refusals = Table(
    "refusals",
    metadata,
    key("epoch", BigInteger),
    key("kind", String(16)),
    key("source", String(300)),
    text("reason", 400),
)

specifications = Table(
    "specifications",
    metadata,
    key("spec_hash", LargeBinary),
    text("model", 80),
    number("memory_mib"),
    text("region", 40),
    text("document", 8192),
    number("host_cores"),
    number("host_memory_mib"),
    number("host_disk_mib"),
)

# By the hash that the escrow keeps of an offer. `listing_id` names its devices: see `projection.listings.listing_id`.
offers = Table(
    "offers", metadata,
    key("offer_hash", LargeBinary),
    account("provider"), account("operator"), device_ids(), digest("listing_id"), account("token"), rate("rate"),
    number("min_duration"), number("max_duration"), number("valid_until"), wide("nonce"), account("renter"),
    number("notice"), digest("signature"),
    Index(None, "provider"), Index(None, "listing_id"), Index(None, "valid_until"),
)  # fmt: skip

# Which offers a device is part of.
offer_devices = Table(
    "offer_devices",
    metadata,
    key("device_id", LargeBinary),
    key("offer_hash", LargeBinary),
)

# A line for each device, and one for each node of several that are on offer together: everything that search filters
# and sorts by, worked out from the other tables. Of a node each number is the least of its devices, but
# its host's are what all of them declare together: 0 unless each of them declares something. `model_name` is the
# declared model in one spelling, `memory_gb` what cards that declare this are sold as, and what is from `driver` on is
# declared: see `assay.sheet.fields`. `rank_rate` is what one device that works costs: the rate for each, by the share
# of epochs that it is sure to pass.
listings = Table(
    "listings", metadata,
    key("listing_id", LargeBinary),
    device_ids(), number("gpus"), text("state", 12), account("provider"), number("profile"), text("model", 80),
    text("region", 40), number("memory_mib"), flag("memory_proven"), number("score_gops"), number("uptime_bps"),
    number("reliability_bps"), number("measured_epoch"), number("passed_epoch"), number("flags"), number("enrolled_at"),
    account("operator"), account("token"), rate("rate"), rate("unit_rate"), number("min_duration"),
    number("max_duration"), number("notice"), digest("offer"), number("valid_until"), number("busy_until"),
    number("changes_at"), number("host_cores"), number("host_memory_mib"), number("host_disk_mib"),
    text("model_name", 80), number("declared_mib"), number("memory_gb"), number("expected_gops"),
    number("of_expected_bps"), number("memory_read_gbs"), number("bf16_tflops"), number("bandwidth_gbs"),
    text("driver", 40), number("cuda"), number("pcie_mbs"), number("card_link_mbs"), number("cards_in_host"),
    number("cpu_mhz"), number("disk_read_mbs"), number("disk_write_mbs"), number("network_up_mbps"),
    number("network_down_mbps"), number("measured_epochs"), number("reliability_low_bps"),
    number("provider_slashes"), rate("rank_rate"),
    Index(None, "changes_at"), Index(None, "passed_epoch"),
    Index(None, "provider", "listing_id"),
)  # fmt: skip

# What renters measured inside their leases, one result a lease, as they signed it. Testimony: who signed it paid for
# the lease, nothing proves what was signed.
checks = Table(
    "checks", metadata,
    key("lease_id", BigInteger),
    account("renter"), number("checked_at"), number("gpus"), number("score_gops"), number("memory_mib"),
    number("host_cores"), number("host_memory_mib"), number("host_disk_mib"), number("disk_read_mbs"),
    number("disk_write_mbs"), number("network_up_mbps"), number("network_down_mbps"), number("bf16_tflops"),
    number("bandwidth_gbs"), digest("signature"),
)  # fmt: skip

# How many listings share these facets. Devices are those of one GPU: the others are nodes of them.
facet_counts = Table(
    "facet_counts", metadata,
    key("state", String(12)), key("profile", BigInteger), key("model", String(80)), key("region", String(40)),
    key("memory_gib", BigInteger), key("token", String(42)), key("gpus", BigInteger), number("count"),
)  # fmt: skip

CONTENT_TABLES = (
    measurements, rewards, observations, batches, refusals, specifications, offers, offer_devices, listings,
    facet_counts, checks,
)  # fmt: skip
