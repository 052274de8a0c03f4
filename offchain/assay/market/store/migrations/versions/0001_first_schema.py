"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
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
        sa.Column("nonce_floor", sa.BigInteger(), nullable=False),
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
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_endpoint"), ["endpoint"], unique=False)
        batch_op.create_index(batch_op.f("ix_devices_provider"), ["provider"], unique=False)

    op.create_table(
        "epochs",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.BigInteger(), nullable=False),
        sa.Column("void_after", sa.BigInteger(), nullable=False),
        sa.Column("set_id", sa.BigInteger(), nullable=False),
        sa.Column("beacon", sa.LargeBinary(), nullable=True),
        sa.Column("epoch_seed", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.Column("voided_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_block", sa.BigInteger(), nullable=False),
        sa.Column("reported_block", sa.BigInteger(), nullable=False),
        sa.Column("seal_round", sa.BigInteger(), nullable=False),
        sa.Column("seal_root", sa.LargeBinary(), nullable=True),
        sa.Column("seal_count", sa.BigInteger(), nullable=False),
        sa.Column("seal_signers", sa.BigInteger(), nullable=False),
        sa.Column("rho", sa.LargeBinary(), nullable=True),
        sa.Column("report_round", sa.BigInteger(), nullable=False),
        sa.Column("devices_root", sa.LargeBinary(), nullable=True),
        sa.Column("rewards_root", sa.LargeBinary(), nullable=True),
        sa.Column("rewards_total", sa.String(length=78), nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=True),
        sa.Column("report_signers", sa.BigInteger(), nullable=False),
        sa.Column("vetoed", sa.Boolean(), nullable=False),
        sa.Column("devices_content", sa.String(length=16), nullable=False),
        sa.Column("rewards_content", sa.String(length=16), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("leased", sa.BigInteger(), nullable=False),
        sa.Column("total_gops", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_epochs")),
    )
    op.create_table(
        "event_parties",
        sa.Column("address", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("address", "block", "log_index", name=op.f("pk_event_parties")),
    )
    op.create_table(
        "events",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("arguments", sa.String(length=16384), nullable=False),
        sa.PrimaryKeyConstraint("block", "log_index", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_transaction"), ["transaction"], unique=False)

    op.create_table(
        "facet_counts",
        sa.Column("state", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("profile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("region", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("memory_gib", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "state", "profile", "model", "region", "memory_gib", "token", name=op.f("pk_facet_counts")
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
        sa.Column("reporter", sa.String(length=42), nullable=True),
        sa.PrimaryKeyConstraint("kind", "subject", "epoch", "account", name=op.f("pk_faults")),
    )
    with op.batch_alter_table("faults", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_faults_account"), ["account"], unique=False)
        batch_op.create_index(batch_op.f("ix_faults_block_log_index"), ["block", "log_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_faults_reporter"), ["reporter"], unique=False)
        batch_op.create_index(batch_op.f("ix_faults_subject"), ["subject"], unique=False)

    op.create_table(
        "identity",
        sa.Column("name", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_identity")),
    )
    op.create_table(
        "leases",
        sa.Column("lease_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("renter", sa.String(length=42), nullable=True),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("device_id", sa.LargeBinary(), nullable=True),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("deposit", sa.String(length=78), nullable=False),
        sa.Column("bond", sa.String(length=78), nullable=False),
        sa.Column("claimed", sa.String(length=78), nullable=False),
        sa.Column("fee", sa.String(length=78), nullable=False),
        sa.Column("refunded", sa.String(length=78), nullable=False),
        sa.Column("forfeited", sa.String(length=78), nullable=False),
        sa.Column("downtime_credit", sa.String(length=78), nullable=False),
        sa.Column("bond_returned", sa.String(length=78), nullable=False),
        sa.Column("result_root", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=42), nullable=True),
        sa.Column("open_transaction", sa.LargeBinary(), nullable=True),
        sa.Column("start_transaction", sa.LargeBinary(), nullable=True),
        sa.Column("end_transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("lease_id", name=op.f("pk_leases")),
    )
    with op.batch_alter_table("leases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_leases_device_id_lease_id"), ["device_id", "lease_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_leases_provider_lease_id"), ["provider", "lease_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_leases_renter_lease_id"), ["renter", "lease_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_leases_status_lease_id"), ["status", "lease_id"], unique=False)

    op.create_table(
        "listings",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("profile", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("region", sa.String(length=40), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("score_gops", sa.BigInteger(), nullable=False),
        sa.Column("uptime_bps", sa.BigInteger(), nullable=False),
        sa.Column("reliability_bps", sa.BigInteger(), nullable=False),
        sa.Column("measured_epoch", sa.BigInteger(), nullable=False),
        sa.Column("passed_epoch", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("unit_rate", sa.String(length=39), nullable=True),
        sa.Column("min_duration", sa.BigInteger(), nullable=False),
        sa.Column("max_duration", sa.BigInteger(), nullable=False),
        sa.Column("offer", sa.LargeBinary(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("busy_until", sa.BigInteger(), nullable=False),
        sa.Column("changes_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_listings")),
    )
    with op.batch_alter_table("listings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_listings_changes_at"), ["changes_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_listings_passed_epoch"), ["passed_epoch"], unique=False)
        batch_op.create_index(batch_op.f("ix_listings_provider_device_id"), ["provider", "device_id"], unique=False)

    op.create_table(
        "measurements",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("seal_index", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.BigInteger(), nullable=False),
        sa.Column("score_gops", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("uptime_bps", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("result_root", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("epoch", "device_id", name=op.f("pk_measurements")),
    )
    with op.batch_alter_table("measurements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_measurements_device_id_epoch"), ["device_id", "epoch"], unique=False)

    op.create_table(
        "offers",
        sa.Column("digest", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("device_id", sa.LargeBinary(), nullable=True),
        sa.Column("token", sa.String(length=42), nullable=True),
        sa.Column("rate", sa.String(length=39), nullable=True),
        sa.Column("min_duration", sa.BigInteger(), nullable=False),
        sa.Column("max_duration", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("renter", sa.String(length=42), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_offers")),
    )
    with op.batch_alter_table("offers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offers_device_id"), ["device_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_offers_valid_until"), ["valid_until"], unique=False)

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
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_profiles")),
    )
    op.create_table(
        "refusals",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=300), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "kind", "source", name=op.f("pk_refusals")),
    )
    op.create_table(
        "rewards",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("cumulative", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "account", name=op.f("pk_rewards")),
    )
    with op.batch_alter_table("rewards", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rewards_account_epoch"), ["account", "epoch"], unique=False)

    op.create_table(
        "set_seats",
        sa.Column("set_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seat", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), nullable=True),
        sa.Column("signer", sa.String(length=42), nullable=True),
        sa.PrimaryKeyConstraint("set_id", "seat", name=op.f("pk_set_seats")),
    )
    with op.batch_alter_table("set_seats", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_set_seats_account"), ["account"], unique=False)

    op.create_table(
        "sets",
        sa.Column("set_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_epoch", sa.BigInteger(), nullable=False),
        sa.Column("seats", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("set_id", name=op.f("pk_sets")),
    )
    op.create_table(
        "slashes",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), nullable=True),
        sa.Column("amount", sa.String(length=78), nullable=False),
        sa.Column("bounty", sa.String(length=78), nullable=False),
        sa.Column("reporter", sa.String(length=42), nullable=True),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block", "log_index", name=op.f("pk_slashes")),
    )
    with op.batch_alter_table("slashes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_slashes_account"), ["account"], unique=False)
        batch_op.create_index(batch_op.f("ix_slashes_transaction"), ["transaction"], unique=False)

    op.create_table(
        "specifications",
        sa.Column("spec_hash", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("region", sa.String(length=40), nullable=False),
        sa.Column("document", sa.String(length=8192), nullable=False),
        sa.PrimaryKeyConstraint("spec_hash", name=op.f("pk_specifications")),
    )
    op.create_table(
        "stakes",
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("active", sa.String(length=78), nullable=False),
        sa.Column("pending", sa.String(length=78), nullable=False),
        sa.Column("reserved", sa.String(length=78), nullable=False),
        sa.Column("unlock_at", sa.BigInteger(), nullable=False),
        sa.Column("open_demands", sa.BigInteger(), nullable=False),
        sa.Column("slashed", sa.String(length=78), nullable=False),
        sa.Column("bounties", sa.String(length=78), nullable=False),
        sa.Column("bounties_collected", sa.String(length=78), nullable=False),
        sa.Column("rewards_claimed", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_stakes")),
    )
    op.create_table(
        "tips",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block", name=op.f("pk_tips")),
    )
    op.create_table(
        "undo",
        sa.Column("tip", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("table_name", sa.String(length=40), nullable=False),
        sa.Column("row_key", sa.String(length=600), nullable=False),
        sa.Column("before", sa.String(length=65536), nullable=False),
        sa.PrimaryKeyConstraint("tip", "place", name=op.f("pk_undo")),
    )
    op.create_table(
        "validators",
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("signer", sa.String(length=42), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
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
    op.create_table(
        "wrong_elements",
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("i", sa.BigInteger(), nullable=False),
        sa.Column("j", sa.BigInteger(), nullable=False),
        sa.Column("claimed", sa.BigInteger(), nullable=False),
        sa.Column("correct", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("device_id", "epoch", name=op.f("pk_wrong_elements")),
    )


def downgrade() -> None:
    raise NotImplementedError("the index can be read anew from the chain: empty the database instead")
