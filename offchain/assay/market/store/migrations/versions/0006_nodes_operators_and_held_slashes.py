"""Offers and leases of several devices, operators and bond credits, demands by what is asked, slashes on hold.

The contracts that earlier versions indexed are no more: the index is emptied, to be read anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Every table of revision 0005 but the identity, which says whose index this is, and the rollbacks.
KEPT = (
    "batches", "epochs", "event_parties", "events", "lease_events", "measurements", "observations", "proof_calls",
    "refusals", "rewards", "set_seats", "sets", "specifications", "tips", "undo", "wrong_elements",
)  # fmt: skip
MADE_ANEW = (
    "demands", "devices", "facet_counts", "faults", "leases", "listings", "offers", "profiles", "slashes", "stakes",
    "validators",
)  # fmt: skip


def upgrade() -> None:
    for name in KEPT:
        op.execute(sa.delete(sa.table(name)))
    for name in MADE_ANEW:
        op.drop_table(name)
    # A key may hold what a provider calls its devices: in JSON a character of it takes up to twelve.
    with op.batch_alter_table("undo", schema=None) as batch_op:
        batch_op.alter_column("row_key", existing_type=sa.String(length=600), type_=sa.String(length=4096))
    op.create_table(
        "bond_credits",
        sa.Column("provider", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("credit", sa.String(length=78), nullable=False),
        sa.Column("per_day", sa.String(length=78), nullable=False),
        sa.Column("whole_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "token", name=op.f("pk_bond_credits")),
    )
    op.create_table(
        "check_ins",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("epoch", "account", name=op.f("pk_check_ins")),
    )
    op.create_table(
        "demands",
        sa.Column("demand_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.LargeBinary(), nullable=True),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("is_row", sa.Boolean(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("i", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("demander", sa.String(length=42), nullable=True),
        sa.Column("bond", sa.String(length=78), nullable=False),
        sa.Column("reward", sa.String(length=78), nullable=False),
        sa.Column("burned", sa.String(length=78), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answerer", sa.String(length=42), nullable=True),
        sa.Column("made_block", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("close_transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("demand_id", name=op.f("pk_demands")),
    )
    op.create_index(op.f("ix_demands_device_id_made_block"), "demands", ["device_id", "made_block"], unique=False)
    op.create_index(op.f("ix_demands_made_block_demand_id"), "demands", ["made_block", "demand_id"], unique=False)
    op.create_index(op.f("ix_demands_provider_made_block"), "demands", ["provider", "made_block"], unique=False)
    op.create_table(
        "devices",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("device_key", sa.String(length=42), nullable=True),
        sa.Column("profile", sa.BigInteger(), nullable=False),
        sa.Column("spec_hash", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_block", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=False),
        sa.Column("stake_released", sa.Boolean(), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("tls_fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("active_lease", sa.BigInteger(), nullable=False),
        sa.Column("measured", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("uptime_sum", sa.BigInteger(), nullable=False),
        sa.Column("leases", sa.BigInteger(), nullable=False),
        sa.Column("measured_epoch", sa.BigInteger(), nullable=False),
        sa.Column("measured_flags", sa.BigInteger(), nullable=False),
        sa.Column("uptime_bps", sa.BigInteger(), nullable=False),
        sa.Column("passed_epoch", sa.BigInteger(), nullable=False),
        sa.Column("score_gops", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_endpoint"), "devices", ["endpoint"], unique=False)
    op.create_index(op.f("ix_devices_provider"), "devices", ["provider"], unique=False)
    op.create_table(
        "downtimes",
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.LargeBinary(), nullable=True),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.String(length=78), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("lease_id", "epoch", name=op.f("pk_downtimes")),
    )
    op.create_table(
        "facet_counts",
        sa.Column("state", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("profile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("region", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("memory_gib", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("gpus", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "state", "profile", "model", "region", "memory_gib", "token", "gpus", name=op.f("pk_facet_counts")
        ),
    )
    op.create_table(
        "faults",
        sa.Column("kind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("amount", sa.String(length=78), nullable=False),
        sa.Column("held_id", sa.BigInteger(), nullable=False),
        sa.Column("reporter", sa.String(length=42), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", "epoch", "account", name=op.f("pk_faults")),
    )
    op.create_index(op.f("ix_faults_account"), "faults", ["account"], unique=False)
    op.create_index(op.f("ix_faults_block_log_index"), "faults", ["block", "log_index"], unique=False)
    op.create_index(op.f("ix_faults_reporter"), "faults", ["reporter"], unique=False)
    op.create_index(op.f("ix_faults_subject"), "faults", ["subject"], unique=False)
    op.create_table(
        "lease_devices",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slashed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "lease_id", name=op.f("pk_lease_devices")),
    )
    op.create_index(op.f("ix_lease_devices_lease_id"), "lease_devices", ["lease_id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("renter", sa.String(length=42), nullable=True),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("operator", sa.String(length=42), nullable=True),
        sa.Column("device_ids", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("offer_hash", sa.LargeBinary(), nullable=True),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("min_duration", sa.BigInteger(), nullable=False),
        sa.Column("max_duration", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(length=20), nullable=False),
        sa.Column("offer_renter", sa.String(length=42), nullable=True),
        sa.Column("notice", sa.BigInteger(), nullable=False),
        sa.Column("deposit", sa.String(length=78), nullable=False),
        sa.Column("bond", sa.String(length=78), nullable=False),
        sa.Column("claimed", sa.String(length=78), nullable=False),
        sa.Column("fee", sa.String(length=78), nullable=False),
        sa.Column("refunded", sa.String(length=78), nullable=False),
        sa.Column("forfeited", sa.String(length=78), nullable=False),
        sa.Column("slash_forfeit", sa.String(length=78), nullable=False),
        sa.Column("forfeit_settled", sa.Boolean(), nullable=False),
        sa.Column("forfeit_forgiven", sa.Boolean(), nullable=False),
        sa.Column("downtime_credit", sa.String(length=78), nullable=False),
        sa.Column("downtime", sa.BigInteger(), nullable=False),
        sa.Column("bond_returned", sa.String(length=78), nullable=False),
        sa.Column("result_roots", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_block", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("free_from", sa.BigInteger(), nullable=False),
        sa.Column("slashed_devices", sa.BigInteger(), nullable=False),
        sa.Column("left_early", sa.Boolean(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.Column("released_downtime", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=42), nullable=True),
        sa.Column("open_transaction", sa.LargeBinary(), nullable=True),
        sa.Column("start_transaction", sa.LargeBinary(), nullable=True),
        sa.Column("end_transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("lease_id", name=op.f("pk_leases")),
    )
    op.create_index(op.f("ix_leases_provider_lease_id"), "leases", ["provider", "lease_id"], unique=False)
    op.create_index(op.f("ix_leases_renter_lease_id"), "leases", ["renter", "lease_id"], unique=False)
    op.create_index(op.f("ix_leases_status_lease_id"), "leases", ["status", "lease_id"], unique=False)
    op.create_table(
        "listings",
        sa.Column("listing_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("device_ids", sa.LargeBinary(), nullable=False),
        sa.Column("gpus", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("profile", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("region", sa.String(length=40), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("memory_proven", sa.Boolean(), nullable=False),
        sa.Column("score_gops", sa.BigInteger(), nullable=False),
        sa.Column("uptime_bps", sa.BigInteger(), nullable=False),
        sa.Column("reliability_bps", sa.BigInteger(), nullable=False),
        sa.Column("measured_epoch", sa.BigInteger(), nullable=False),
        sa.Column("passed_epoch", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.String(length=42), nullable=True),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("unit_rate", sa.String(length=39), nullable=True),
        sa.Column("min_duration", sa.BigInteger(), nullable=False),
        sa.Column("max_duration", sa.BigInteger(), nullable=False),
        sa.Column("notice", sa.BigInteger(), nullable=False),
        sa.Column("offer", sa.LargeBinary(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("busy_until", sa.BigInteger(), nullable=False),
        sa.Column("changes_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listings")),
    )
    op.create_index(op.f("ix_listings_changes_at"), "listings", ["changes_at"], unique=False)
    op.create_index(op.f("ix_listings_passed_epoch"), "listings", ["passed_epoch"], unique=False)
    op.create_index(op.f("ix_listings_provider_listing_id"), "listings", ["provider", "listing_id"], unique=False)
    op.create_table(
        "minters",
        sa.Column("minter", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("first_epoch", sa.String(length=20), nullable=False),
        sa.Column("last_epoch", sa.String(length=20), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("limit", sa.String(length=78), nullable=False),
        sa.Column("minted", sa.String(length=78), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minter", name=op.f("pk_minters")),
    )
    op.create_table(
        "nonce_floors",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("signer", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("nonce_floor", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "signer", name=op.f("pk_nonce_floors")),
    )
    op.create_table(
        "offer_devices",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("offer_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "offer_hash", name=op.f("pk_offer_devices")),
    )
    op.create_table(
        "offers",
        sa.Column("offer_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("operator", sa.String(length=42), nullable=True),
        sa.Column("device_ids", sa.LargeBinary(), nullable=False),
        sa.Column("listing_id", sa.LargeBinary(), nullable=True),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("min_duration", sa.BigInteger(), nullable=False),
        sa.Column("max_duration", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(length=20), nullable=False),
        sa.Column("renter", sa.String(length=42), nullable=True),
        sa.Column("notice", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("offer_hash", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_listing_id"), "offers", ["listing_id"], unique=False)
    op.create_index(op.f("ix_offers_provider"), "offers", ["provider"], unique=False)
    op.create_index(op.f("ix_offers_valid_until"), "offers", ["valid_until"], unique=False)
    op.create_table(
        "operators",
        sa.Column("provider", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("operator", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("scopes", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "operator", name=op.f("pk_operators")),
    )
    op.create_index(op.f("ix_operators_operator"), "operators", ["operator"], unique=False)
    op.create_table(
        "payouts",
        sa.Column("provider", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("payout", sa.String(length=42), nullable=True),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_payouts")),
    )
    op.create_table(
        "profiles",
        sa.Column("profile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("m", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("k", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("w", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("max_gops", sa.BigInteger(), nullable=False),
        sa.Column("stake", sa.String(length=78), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_profiles")),
    )
    op.create_table(
        "refunders",
        sa.Column("renter", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("may", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("renter", "agent", name=op.f("pk_refunders")),
    )
    op.create_table(
        "slashes",
        sa.Column("held_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), nullable=True),
        sa.Column("amount", sa.String(length=78), nullable=False),
        sa.Column("bounty", sa.String(length=78), nullable=False),
        sa.Column("reporter", sa.String(length=42), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("close_transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("held_id", name=op.f("pk_slashes")),
    )
    op.create_index(op.f("ix_slashes_account"), "slashes", ["account"], unique=False)
    op.create_index(op.f("ix_slashes_status_held_until"), "slashes", ["status", "held_until"], unique=False)
    op.create_index(op.f("ix_slashes_transaction"), "slashes", ["transaction"], unique=False)
    op.create_table(
        "stakes",
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("active", sa.String(length=78), nullable=False),
        sa.Column("pending", sa.String(length=78), nullable=False),
        sa.Column("reserved", sa.String(length=78), nullable=False),
        sa.Column("unlock_at", sa.BigInteger(), nullable=False),
        sa.Column("slashed", sa.String(length=78), nullable=False),
        sa.Column("held", sa.String(length=78), nullable=False),
        sa.Column("bounties", sa.String(length=78), nullable=False),
        sa.Column("bounties_collected", sa.String(length=78), nullable=False),
        sa.Column("rewards_claimed", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_stakes")),
    )
    op.create_table(
        "suspensions",
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("since", name=op.f("pk_suspensions")),
    )
    op.create_table(
        "tokens",
        sa.Column("token", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("fee_floor", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_tokens")),
    )
    op.create_table(
        "validators",
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("earliest_epoch", sa.BigInteger(), nullable=False),
        sa.Column("joined_epoch", sa.BigInteger(), nullable=False),
        sa.Column("left_epoch", sa.BigInteger(), nullable=False),
        sa.Column("outbid_by", sa.String(length=42), nullable=True),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("tls_fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("seals", sa.BigInteger(), nullable=False),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        sa.Column("seal_duties", sa.BigInteger(), nullable=False),
        sa.Column("report_duties", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_validators")),
    )


def downgrade() -> None:
    raise NotImplementedError("the index can be read anew from the chain: empty the database instead")
