"""What declared models mean: one spelling, the memory they are sold with, what they should make.

Listings are worked out anew when the market starts; nothing is taken back beyond that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
NUMBERS = ("declared_mib", "memory_gb", "expected_gops", "of_expected_bps")


def upgrade() -> None:
    with op.batch_alter_table("listings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("model_name", sa.String(length=80), nullable=False, server_default=""))
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
        for name in ("model_name", *NUMBERS):
            batch_op.drop_column(name)
