"""What each seat signed of each device, and the calldata of proofs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("epochs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batches_content", sa.String(length=16), nullable=False, server_default=""))
    op.create_table(
        "proof_calls",
        sa.Column("transaction", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("target", sa.String(length=42), nullable=True),
        sa.Column("calldata", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("transaction", name=op.f("pk_proof_calls")),
    )
    op.create_table(
        "observations",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("result_root", sa.LargeBinary(), nullable=True),
        sa.Column("elapsed_us", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("uptime_bps", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "account", "device_id", name=op.f("pk_observations")),
    )
    with op.batch_alter_table("observations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_observations_device_id_epoch"), ["device_id", "epoch"], unique=False)
    op.create_table(
        "batches",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("batch_root", sa.LargeBinary(), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("devices", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("otherwise", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "account", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_batches_account_epoch"), ["account", "epoch"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("the index can be read anew from the chain: empty the database instead")
