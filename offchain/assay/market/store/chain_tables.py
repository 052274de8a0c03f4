"""What the chain says: logs as they came, and what follows from them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, Table

from assay.market.store.metadata import account, amount, digest, flag, key, metadata, number, rate, text

events = Table(
    "events", metadata,
    key("block", BigInteger), key("log_index", BigInteger),
    digest("transaction"), number("timestamp"), text("contract", 64), text("name", 64), text("arguments",
    16384),
    Index(None, "transaction"),
)  # fmt: skip

event_parties = Table(
    "event_parties", metadata,
    key("address", String(42)), key("block", BigInteger), key("log_index", BigInteger),
)  # fmt: skip

# Most of what the escrow says of a lease names no account.
lease_events = Table(
    "lease_events", metadata,
    key("lease_id", BigInteger), key("block", BigInteger), key("log_index", BigInteger),
)  # fmt: skip

profiles = Table(
    "profiles", metadata,
    key("profile", BigInteger),
    *(number(n) for n in ("m", "n", "k", "t", "chunk", "samples", "w", "deadline_ms", "credit", "max_gops")),
    amount("stake"),
)  # fmt: skip

devices = Table(
    "devices", metadata,
    key("device_id", LargeBinary),
    account("provider"), account("device_key"), number("profile"), digest("spec_hash"), number("status"),
    number("enrolled_block"), number("enrolled_at"), number("retired_at"), flag("stake_released"),
    text("endpoint"), digest("tls_fingerprint"), number("nonce_floor"), number("active_lease"),
    number("measured"), number("passed"), number("uptime_sum"), number("leases"),
    number("measured_epoch"), number("measured_flags"), number("uptime_bps"),
    number("passed_epoch"), number("score_gops"), number("memory_mib"),
    Index(None, "provider"), Index(None, "endpoint"),
)  # fmt: skip

epochs = Table(
    "epochs", metadata,
    key("epoch", BigInteger),
    number("phase"), number("void_after"), number("set_id"), digest("beacon"), digest("epoch_seed"),
    number("opened_at"), number("sealed_at"), number("drawn_at"), number("reported_at"), number("voided_at"),
    number("opened_block"), number("reported_block"),
    number("seal_round"), digest("seal_root"), number("seal_count"), number("seal_signers"), digest("rho"),
    number("report_round"), digest("devices_root"), digest("rewards_root"), amount("rewards_total"),
    digest("data_hash"), number("report_signers"), flag("vetoed"),
    text("devices_content", 16), text("rewards_content", 16), text("batches_content", 16),
    number("passed"), number("failed"), number("leased"), number("total_gops"),
)  # fmt: skip

leases = Table(
    "leases", metadata,
    key("lease_id", BigInteger),
    account("renter"), account("provider"), digest("device_id"), account("token"), number("status"),
    rate("rate"), amount("deposit"), amount("bond"), amount("claimed"), amount("fee"), amount("refunded"),
    amount("forfeited"), amount("downtime_credit"), amount("bond_returned"), digest("result_root"),
    number("opened_at"), number("start"), number("stop"), number("ended_at"), account("ended_by"),
    digest("open_transaction"), digest("start_transaction"), digest("end_transaction"),
    Index(None, "renter", "lease_id"), Index(None, "provider", "lease_id"), Index(None, "device_id",
    "lease_id"),
    Index(None, "status", "lease_id"),
)  # fmt: skip

stakes = Table(
    "stakes", metadata,
    key("account", String(42)),
    amount("active"), amount("pending"), amount("reserved"), number("unlock_at"), number("open_demands"),
    amount("slashed"), amount("bounties"), amount("bounties_collected"), amount("rewards_claimed"),
)  # fmt: skip

validators = Table(
    "validators", metadata,
    key("account", String(42)),
    account("signer"), text("status", 16), number("joined_epoch"), number("left_epoch"), account("outbid_by"),
    text("endpoint"), digest("tls_fingerprint"), number("seals"), number("reports"), number("seal_duties"),
    number("report_duties"),
)  # fmt: skip

sets = Table("sets", metadata, key("set_id", BigInteger), number("first_epoch"), number("seats"))

set_seats = Table(
    "set_seats", metadata,
    key("set_id", BigInteger), key("seat", BigInteger), account("account"), account("signer"),
    Index(None, "account"),
)  # fmt: skip

faults = Table(
    "faults", metadata,
    key("kind", BigInteger), key("subject", LargeBinary), key("epoch", BigInteger), key("account",
    String(42)),
    number("block"), number("log_index"), number("timestamp"), digest("transaction"), amount("amount"),
    account("reporter"),
    Index(None, "block", "log_index"), Index(None, "account"), Index(None, "subject"), Index(None,
    "reporter"),
)  # fmt: skip

wrong_elements = Table(
    "wrong_elements", metadata,
    key("device_id", LargeBinary), key("epoch", BigInteger),
    number("t"), number("i"), number("j"), number("claimed"), number("correct"), digest("transaction"),
)  # fmt: skip

# Calldata of the transactions that proved a fault: the proof itself, for whoever wants to check it again.
proof_calls = Table(
    "proof_calls", metadata,
    key("transaction", LargeBinary), account("target"), digest("calldata"),
)  # fmt: skip

# Challenges on the chain: a device is to show a row or a round of what it committed.
demands = Table(
    "demands", metadata,
    key("demand_id", BigInteger),
    digest("device_id"), account("provider"), number("epoch"), flag("is_row"), number("t"), number("i"),
    number("deadline"), account("demander"), number("status"), account("answerer"), number("made_at"),
    number("closed_at"), digest("transaction"), digest("close_transaction"),
    Index(None, "device_id", "demand_id"), Index(None, "provider", "demand_id"),
)  # fmt: skip

slashes = Table(
    "slashes", metadata,
    key("block", BigInteger), key("log_index", BigInteger),
    account("account"), amount("amount"), amount("bounty"), account("reporter"), digest("transaction"),
    number("timestamp"),
    Index(None, "transaction"), Index(None, "account"),
)  # fmt: skip

CHAIN_TABLES = (
    events, event_parties, lease_events, profiles, devices, epochs, leases, stakes, validators, sets, set_seats, faults,
    wrong_elements, proof_calls, demands, slashes,
)  # fmt: skip
