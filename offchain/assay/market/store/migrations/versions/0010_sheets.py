"""What providers declare of cards and hosts beyond model and memory. Listings are worked out anew, as in 0009."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
NUMBERS = (
    "memory_read_gbs", "bf16_tflops", "bandwidth_gbs", "cuda", "pcie_mbs", "card_link_mbs", "cards_in_host", "cpu_mhz",
    "disk_read_mbs", "disk_write_mbs", "network_up_mbps", "network_down_mbps",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("listings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("driver", sa.String(length=40), nullable=False, server_default=""))
        for name in NUMBERS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("listings", "facet_counts", "undo"):
        op.execute(sa.delete(sa.table(name)))
    tips = sa.table("tips", sa.column("block"))
    op.execute(sa.delete(tips).where(tips.c.block < sa.select(sa.func.max(tips.c.block)).scalar_subquery()))


def downgrade() -> None:
    for name in ("listings", "facet_counts"):
        op.execute(sa.delete(sa.table(name)))
    with op.batch_alter_table("listings", schema=None) as batch_op:
        for name in ("driver", *NUMBERS):
            batch_op.drop_column(name)
