"""Challenges on the chain, and whether a listing's memory is proven.

What earlier versions indexed lacks the events that this one knows: the index is emptied, to be read anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Every table of revision 0002 but the identity, which says whose index this is.
FILLED = (
    "batches", "devices", "epochs", "event_parties", "events", "facet_counts", "faults", "leases", "listings",
    "measurements", "observations", "offers", "profiles", "proof_calls", "refusals", "rewards", "set_seats", "sets",
    "slashes", "specifications", "stakes", "tips", "undo", "validators", "wrong_elements",
)  # fmt: skip


def upgrade() -> None:
    for name in FILLED:
        op.execute(sa.delete(sa.table(name)))
    with op.batch_alter_table("listings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("memory_proven", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "demands",
        sa.Column("demand_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.LargeBinary(), nullable=True),
        sa.Column("provider", sa.String(length=42), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("is_row", sa.Boolean(), nullable=False),
        sa.Column("t", sa.BigInteger(), nullable=False),
        sa.Column("i", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("demander", sa.String(length=42), nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answerer", sa.String(length=42), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("transaction", sa.LargeBinary(), nullable=True),
        sa.Column("close_transaction", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("demand_id", name=op.f("pk_demands")),
    )
    with op.batch_alter_table("demands", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_demands_device_id_demand_id"), ["device_id", "demand_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_demands_provider_demand_id"), ["provider", "demand_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("the index can be read anew from the chain: empty the database instead")
