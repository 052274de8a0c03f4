"""What the chain says: logs as they came, and what follows from them."""

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

events = Table(
    "events",
    metadata,
    key("block", BigInteger),
    key("log_index", BigInteger),
    digest("transaction"),
    number("timestamp"),
    text("contract", 64),
    text("name", 64),
    text("arguments", 16384),
    Index(None, "transaction"),
)

event_parties = Table(
    "event_parties",
    metadata,
    key("address", String(42)),
    key("block", BigInteger),
    key("log_index", BigInteger),
    Index(None, "block"),
)

# Most of what the escrow says of a lease names no account.
lease_events = Table(
    "lease_events",
    metadata,
    key("lease_id", BigInteger),
    key("block", BigInteger),
    key("log_index", BigInteger),
    Index(None, "block"),
)

profiles = Table(
    "profiles",
    metadata,
    key("profile", BigInteger),
    *(number(n) for n in ("m", "n", "k", "t", "chunk", "samples", "w", "deadline_ms", "credit", "max_gops")),
    amount("stake"),
    flag("closed"),
)

devices = Table(
    "devices", metadata,
    key("device_id", LargeBinary),
    account("provider"), account("device_key"), number("profile"), digest("spec_hash"), number("status"),
    number("enrolled_block"), number("enrolled_at"), number("retired_at"), flag("stake_released"),
    text("endpoint"), digest("tls_fingerprint"), number("active_lease"),
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

# Offers for a device with a nonce below this, by this signer, are cancelled.
nonce_floors = Table(
    "nonce_floors",
    metadata,
    key("device_id", LargeBinary),
    key("signer", String(42)),
    wide("nonce_floor"),
)

# What a provider has done so far. `ended_by_provider` are leases that it or an operator of it ended, also after a
# notice; those that ran to their stop nobody ended.
providers = Table(
    "providers", metadata,
    key("provider", String(42)),
    number("since"), number("devices"), number("active"), number("slashed"), number("leases"),
    number("ended_by_renter"), number("ended_by_provider"),
)  # fmt: skip

# Whom providers let act for them: bits of the contracts' OperatorScopes, none once revoked, and the last second.
operators = Table(
    "operators",
    metadata,
    key("provider", String(42)),
    key("operator", String(42)),
    number("scopes"),
    number("until"),
    number("set_at"),
    digest("transaction"),
    Index(None, "operator"),
)

# Where what a provider's operators claim is paid to; null: to itself.
payouts = Table("payouts", metadata, key("provider", String(42)), account("payout"))

# What providers have put aside for the bonds of leases that their operators start. What was taken of a day's limit
# comes back evenly; all of it is back at `whole_at`.
bond_credits = Table(
    "bond_credits",
    metadata,
    key("provider", String(42)),
    key("token", String(42)),
    amount("credit"),
    amount("per_day"),
    number("whole_at"),
)

tokens = Table("tokens", metadata, key("token", String(42)), flag("listed"), amount("fee_floor"))

# With the offer that each was opened on, made to `offer_renter`. A `status` of 2 is active, also past `stop`.
leases = Table(
    "leases", metadata,
    key("lease_id", BigInteger),
    account("renter"), account("provider"), account("operator"), device_ids(), account("token"), number("status"),
    digest("offer_hash"), rate("rate"), number("min_duration"), number("max_duration"), number("valid_until"),
    wide("nonce"), account("offer_renter"), number("notice"),
    amount("deposit"), amount("bond"), amount("claimed"), amount("fee"), amount("refunded"),
    amount("forfeited"), amount("slash_forfeit"), flag("forfeit_settled"), flag("forfeit_forgiven"),
    amount("downtime_credit"), number("downtime"), amount("bond_returned"), digest("result_roots"),
    number("opened_at"), number("opened_block"), number("start"), number("stop"), number("free_from"),
    number("slashed_devices"), flag("left_early"), number("released_at"), number("released_downtime"),
    number("ended_at"), account("ended_by"),
    digest("open_transaction"), digest("start_transaction"), digest("end_transaction"),
    Index(None, "renter", "lease_id"), Index(None, "provider", "lease_id"), Index(None, "status", "lease_id"),
)  # fmt: skip

lease_devices = Table(
    "lease_devices",
    metadata,
    key("device_id", LargeBinary),
    key("lease_id", BigInteger),
    number("slashed_at"),
    Index(None, "lease_id"),
)

# Epochs whose downtime was credited: each counts once.
downtimes = Table(
    "downtimes",
    metadata,
    key("lease_id", BigInteger),
    key("epoch", BigInteger),
    digest("device_id"),
    number("seconds"),
    amount("amount"),
    digest("transaction"),
)

# Who besides a renter may submit the downtime of its leases.
refunders = Table("refunders", metadata, key("renter", String(42)), key("agent", String(42)), flag("may"))

stakes = Table(
    "stakes", metadata,
    key("account", String(42)),
    amount("active"), amount("pending"), amount("reserved"), number("unlock_at"),
    amount("slashed"), amount("held"), amount("bounties"), amount("bounties_collected"), amount("rewards_claimed"),
)  # fmt: skip

validators = Table(
    "validators", metadata,
    key("account", String(42)),
    account("signer"), text("status", 16), text("reason", 16), number("earliest_epoch"), number("joined_epoch"),
    number("left_epoch"), account("outbid_by"),
    text("endpoint"), digest("tls_fingerprint"), number("seals"), number("reports"), number("seal_duties"),
    number("report_duties"),
)  # fmt: skip

sets = Table("sets", metadata, key("set_id", BigInteger), number("first_epoch"), number("seats"))

set_seats = Table(
    "set_seats",
    metadata,
    key("set_id", BigInteger),
    key("seat", BigInteger),
    account("account"),
    account("signer"),
    Index(None, "account"),
)

# Reports made from `since` until `until` wait for the long claim delay: the guardian had vetoed too many in a row.
suspensions = Table("suspensions", metadata, key("since", BigInteger), number("until"))

# Who may mint for which epochs, once it was handed over; `limit` is what a former one may ever mint, 0 until settled.
minters = Table(
    "minters",
    metadata,
    key("minter", String(42)),
    wide("first_epoch"),
    wide("last_epoch"),
    number("ended_at"),
    amount("limit"),
    amount("minted"),
    number("settled_at"),
)

# Seats that said they were there in an epoch that stopped before its seal.
check_ins = Table("check_ins", metadata, key("epoch", BigInteger), key("account", String(42)))

faults = Table(
    "faults", metadata,
    key("kind", BigInteger), key("subject", LargeBinary), key("epoch", BigInteger), key("account", String(42)),
    number("block"), number("log_index"), number("timestamp"), digest("transaction"), amount("amount"),
    number("held_id"), account("reporter"),
    Index(None, "block", "log_index"), Index(None, "account"), Index(None, "subject"), Index(None, "reporter"),
)  # fmt: skip

wrong_elements = Table(
    "wrong_elements", metadata,
    key("device_id", LargeBinary), key("epoch", BigInteger),
    number("t"), number("i"), number("j"), number("claimed"), number("correct"), digest("transaction"),
)  # fmt: skip

# Calldata of the transactions that proved a fault: the proof itself, for whoever wants to check it again.
proof_calls = Table(
    "proof_calls",
    metadata,
    key("transaction", LargeBinary),
    account("target"),
    digest("calldata"),
)

# Challenges on the chain: a device is to show the row of a sample or the leaf of a round that it committed to.
demands = Table(
    "demands", metadata,
    key("demand_id", LargeBinary),
    digest("device_id"), account("provider"), number("epoch"), flag("is_row"), number("index"), number("t"),
    number("i"), number("deadline"), account("demander"), amount("bond"), amount("reward"), amount("burned"),
    number("status"), account("answerer"), number("made_block"), number("made_at"), number("closed_at"),
    digest("transaction"), digest("close_transaction"),
    Index(None, "made_block", "demand_id"), Index(None, "device_id", "made_block"),
    Index(None, "provider", "made_block"),
)  # fmt: skip

# Stake that a proof took: on hold, then paid and burned, or given back to its owner.
slashes = Table(
    "slashes", metadata,
    key("held_id", BigInteger),
    account("account"), amount("amount"), amount("bounty"), account("reporter"), number("status"), number("held_until"),
    number("block"), number("timestamp"), digest("transaction"), number("closed_at"), digest("close_transaction"),
    Index(None, "transaction"), Index(None, "account"), Index(None, "status", "held_until"),
)  # fmt: skip

CHAIN_TABLES = (
    events, event_parties, lease_events, profiles, devices, epochs, nonce_floors, providers, operators, payouts,
    bond_credits,
    tokens, leases, lease_devices, downtimes, refunders, stakes, validators, sets, set_seats, suspensions, minters,
    check_ins, faults,
    wrong_elements, proof_calls, demands, slashes,
)  # fmt: skip
